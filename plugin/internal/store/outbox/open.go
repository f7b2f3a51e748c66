// Package outbox keeps events on their way to hosts: a log with one sequence, and for
// each host how far it has acknowledged.
//
// What the package guarantees:
//
//   - An event is stored once per id, in the transaction of what it tells, and on disk
//     before [Outbox.Append] returns.
//   - Readers see events in the order of their sequences, never one before a smaller
//     one that commits later.
//   - An event is kept until every subscriber that wants it has acknowledged it, within
//     the retention and the limit; a subscriber that missed one is told so.
//   - It is kept for some days more, within a limit of its own: a host that was restored
//     from an older copy subscribes with an older cursor and reads again what followed it.
package outbox

import (
	"context"
	"sync"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
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
}

// Outbox is the events of a database. Its methods are safe for concurrent use.
type Outbox struct {
	db        *sqldb.DB
	opt       Options
	now       func() time.Time
	id        [8]byte // of the database, in every cursor
	broadcast broadcast
}

// Open returns the outbox of a migrated database.
func Open(ctx context.Context, db *sqldb.DB, opt Options) (*Outbox, error) {
	o := &Outbox{db: db, opt: opt, now: opt.Now, id: db.ID()}
	return o, o.skip(ctx)
}

// Close wakes everybody who waits for an event.
func (o *Outbox) Close() { o.broadcast.close() }

// Sweeps are the tables that time and limits empty; [Outbox.Sweep] does the events.
func (o *Outbox) Sweeps() []sqldb.Sweep {
	now := o.now()
	return []sqldb.Sweep{
		{Table: "tapnode_seen", Key: "id", Order: "seen_at", Over: "seen_at < $1", Before: now.Add(-o.opt.KeepSeen), Limit: o.opt.Seen},
		{Table: "tapnode_subscribers", Key: "name", Order: "seen_at", Over: "seen_at < $1", Before: now.Add(-o.opt.KeepSubscribers)},
	}
}

// broadcast wakes those who wait for events of a type, and nobody else: each of them
// asks the database.
type broadcast struct {
	mu     sync.Mutex
	ch     map[string]chan struct{} // by type; "" is every type
	closed bool
}

// wait returns a channel that is closed by the next wake of the type. Take it before
// looking at what may have changed.
func (b *broadcast) wait(kind string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ch := b.ch[kind]; ch != nil {
		return ch
	}
	ch := make(chan struct{})
	if b.closed {
		close(ch)
		return ch
	}
	if b.ch == nil {
		b.ch = make(map[string]chan struct{})
	}
	b.ch[kind] = ch
	return ch
}

func (b *broadcast) wake(kind string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range [...]string{kind, ""} {
		if ch := b.ch[k]; ch != nil {
			close(ch)
			delete(b.ch, k)
		}
	}
}

func (b *broadcast) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, ch := range b.ch {
		close(ch)
	}
	clear(b.ch)
}

// Changed returns a channel that is closed when the next event of the type ("" is
// every type) is stored, or when the store closes. Take it before Read, and read again
// when it is closed. Events that another process stores in the same Postgres do not
// close it.
func (o *Outbox) Changed(kind string) <-chan struct{} { return o.broadcast.wait(kind) }

// Wake tells those who wait for events of a type that one has been stored.
func (o *Outbox) Wake(kind string) { o.broadcast.wake(kind) }
