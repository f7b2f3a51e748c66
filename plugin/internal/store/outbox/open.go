// Package outbox keeps events on their way to hosts: a log with one sequence, and for each host the
// position up to which it has acknowledged.
//
// What the package guarantees:
//
//   - An event is stored once per id, in the transaction of the change that it reports, and is on
//     disk before [Outbox.Append] returns.
//   - Readers see events in the order of their sequences, never one before a smaller one that
//     commits later.
//   - An event is kept until every subscriber that wants it has acknowledged it, within the
//     retention and the limit; a subscriber that missed an event is told so.
//   - An acknowledged event is kept for some days more, within a limit of its own: a host that was
//     restored from an older copy subscribes with an older cursor and reads the events after it
//     again.
package outbox

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/internal/sqldb/memo"
)

// Options bound what an outbox keeps. All are required.
type Options struct {
	Keep            time.Duration // events, for hosts that do not acknowledge
	KeepAcked       time.Duration // events that were acknowledged, for hosts that are restored
	KeepSeen        time.Duration // ids of events
	KeepSubscribers time.Duration // since a host was last heard of
	Events          int           // of each type; over it the oldest of that type go
	Acked           int           // of each type; over it the oldest that were acknowledged go
	Seen            int
	Subscribers     int // one more is refused
	Now             func() time.Time
	Alone           bool // no other process writes to the database, so subscriptions may be cached
}

// Outbox holds the events of a database. Its methods are safe for concurrent use.
type Outbox struct {
	db      *sqldb.DB
	opt     Options
	now     func() time.Time
	id      [8]byte // of the database, in every cursor
	signals *sqldb.Signals
	seen    atomic.Int64 // the last sequence that Look saw
	tail    tail
	alone   bool                     // no other process stores events
	wanted  *memo.Memo[stream, bool] // nil: other processes may subscribe
}

// Open returns the outbox of a migrated database, which signals new events by their type.
func Open(ctx context.Context, db *sqldb.DB, signals *sqldb.Signals, opt Options) (*Outbox, error) {
	o := &Outbox{db: db, opt: opt, now: opt.Now, id: db.ID(), signals: signals, alone: db.Dialect() == "sqlite3"}
	if opt.Alone {
		o.wanted = memo.New[stream, bool](streamsKept)
	}
	return o, o.skip(ctx)
}

// Sweeps lists the tables from which old rows and rows over a limit are removed, except that of the
// events: see [Outbox.Sweep].
func (o *Outbox) Sweeps() []sqldb.Sweep {
	now := o.now()
	return []sqldb.Sweep{
		{Table: "tapnode_seen", Key: "id", Order: "seen_at", Over: "seen_at < $1", Before: now.Add(-o.opt.KeepSeen), Limit: o.opt.Seen},
		{Table: "tapnode_subscribers", Key: "name", Order: "seen_at", Over: "seen_at < $1", Before: now.Add(-o.opt.KeepSubscribers)},
	}
}

// Changed returns a channel that is closed when the next event of the type ("" is every type) is
// stored, by any process, or when the store closes. Take it before Read, and read again when it is
// closed.
func (o *Outbox) Changed(kind string) <-chan struct{} { return o.signals.Wait(kind) }

// Look wakes all waiting readers if an event was stored since the last call.
func (o *Outbox) Look(ctx context.Context) error {
	var last int64
	err := o.db.Row(ctx, `SELECT COALESCE(max(value), 0) FROM tapnode_sequence WHERE name = 'events'`, nil, &last)
	if err == nil && o.seen.Swap(last) != last {
		o.signals.WakeAll()
	}
	return err
}
