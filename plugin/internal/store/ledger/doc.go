// Package ledger keeps every send by its operation, instance and idempotency key: what was about
// to leave, how far it came, and what the caller was told.
//
// What the package guarantees:
//
//   - One row per (operation, instance, key), and one message id per row, never used before. The intent and its menu
//     are stored, in one transaction, before the message leaves.
//   - A state never goes back, whatever comes twice or out of order; each change that a
//     host has subscribed to is an event of the same transaction.
//   - A key is never forgotten before its time: a full ledger refuses new ones.
package ledger

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

// Options bound a ledger. Keep, Limit and Now are required.
type Options struct {
	Keep  time.Duration // a concluded send and its key
	Limit int           // rows; over it [Ledger.Begin] refuses new keys

	// Status makes the event that tells hosts of a change of a send; nil: they are not
	// told. It runs inside the transaction and maybe more than once: it must not ask the
	// database for anything.
	Status func(Change) (outbox.Event, error)

	Now func() time.Time
}

// Ledger is the sends of a database. Its methods are safe for concurrent use.
type Ledger struct {
	db     *sqldb.DB
	outbox *outbox.Outbox
	opt    Options
	now    func() time.Time
	held   claims
	full   atomic.Bool
}

// New returns the ledger of a migrated database.
func New(db *sqldb.DB, events *outbox.Outbox, opt Options) *Ledger {
	return &Ledger{db: db, outbox: events, opt: opt, now: opt.Now}
}

// Sweeps are the tables that time empties.
func (l *Ledger) Sweeps() []sqldb.Sweep {
	return []sqldb.Sweep{{Table: "tapnode_ledger", Key: "operation, idem_key", Order: "expires_at", Over: "expires_at < $1", Before: l.now()}}
}

// Check lets Begin refuse new keys while the ledger is full: removing a row before its
// time would let a repeated key send twice.
func (l *Ledger) Check(ctx context.Context, count bool) error {
	if !count {
		return nil
	}
	excess, err := l.db.Excess(ctx, "tapnode_ledger", l.opt.Limit)
	if err == nil {
		l.full.Store(excess >= 0)
	}
	return err
}

// Forget removes an instance's sends.
func Forget(t *sqldb.Tx, instance string) error {
	_, err := t.Exec(`DELETE FROM tapnode_ledger WHERE instance = $1`, instance)
	return err
}

// Leave takes the messages out of an instance's sends, because another account has its
// name now: the keys answer as before, and nothing is sent again, neither to a device
// that asks for it nor for an outcome that is still unknown.
func Leave(t *sqldb.Tx, instance string) error {
	_, err := t.Exec(`UPDATE tapnode_ledger SET message = NULL WHERE instance = $1`, instance)
	return err
}
