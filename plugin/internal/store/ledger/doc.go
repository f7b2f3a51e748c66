// Package ledger keeps every send by its operation, instance and idempotency key: the message, the
// state it has reached, and the answer to the caller.
//
// What the package guarantees:
//
//   - One row per (operation, instance, key), and one message id per row, never used before. The
//     intent and its menu are stored, in one transaction, before the message is sent.
//   - A state never goes back, even if reports arrive twice or out of order; each change that a
//     host has subscribed to is stored as an event in the same transaction.
//   - A key is never removed before its time: a full ledger refuses new ones.
package ledger

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store/journal"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

// Options bound a ledger. All but Status are required.
type Options struct {
	Keep  time.Duration // of a concluded send and its key
	Limit int           // rows; over it [Ledger.Begin] refuses new keys

	Status Events // of the changes of a send; zero: hosts are not notified

	Now func() time.Time
	Log *slog.Logger
}

// Events makes the events that report changes to hosts.
type Events struct {
	Type string
	// New runs in the transaction of the change, possibly more than once, and must not query the
	// database.
	New func(Change) (outbox.Event, error)
}

// Ledger holds the sends of a database. Its methods are safe for concurrent use.
type Ledger struct {
	db     *sqldb.DB
	outbox *outbox.Outbox
	opt    Options
	now    func() time.Time
	held   claims

	journal   *journal.Journal // nil: Conclude waits for the database
	following following
	keys      *keys // nil: other processes may store keys
	full      atomic.Bool
}

// New returns the ledger of a migrated database.
func New(db *sqldb.DB, events *outbox.Outbox, opt Options) *Ledger {
	return &Ledger{db: db, outbox: events, opt: opt, now: opt.Now}
}

// Sweeps lists the tables from which old rows are removed.
func (l *Ledger) Sweeps() []sqldb.Sweep {
	return []sqldb.Sweep{{Table: "tapnode_ledger", Key: "operation, idem_key", Order: "expires_at", Over: "expires_at < $1", Before: l.now()}}
}

// Check makes, with count, Begin refuse new keys while the ledger is full, because removing a row
// before its time would let a repeated key send twice. It also removes records that are done from
// the journal, and reads the stored keys again if necessary.
func (l *Ledger) Check(ctx context.Context, count bool) error {
	if l.keys != nil && l.keys.outgrown() {
		if err := l.keys.read(ctx, l.db, &l.held); err != nil {
			return sqldb.Wrap("read the keys", err)
		}
	}
	if l.journal != nil {
		if err := l.journal.Sweep(); err != nil {
			return err
		}
	}
	if !count {
		return nil
	}
	excess, err := l.db.Excess(ctx, "tapnode_ledger", l.opt.Limit)
	if err == nil {
		l.full.Store(excess >= 0)
	}
	return err
}

// Close closes the journal. The database is closed before.
func (l *Ledger) Close() error {
	if l.journal == nil {
		return nil
	}
	return errors.Join(l.journal.Sweep(), l.journal.Close())
}

// Forget removes an instance's sends.
func Forget(t *sqldb.Tx, instance string) error {
	_, err := t.Exec(`DELETE FROM tapnode_ledger WHERE instance = $1`, instance)
	return err
}

// Leave removes the messages from an instance's sends, because another account has its name now.
// The keys answer as before, but nothing is sent again, neither to a device that asks for it nor
// for an outcome that is still unknown.
func Leave(t *sqldb.Tx, instance string) error {
	_, err := t.Exec(`UPDATE tapnode_ledger SET message = NULL WHERE instance = $1`, instance)
	return err
}
