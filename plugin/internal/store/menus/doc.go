// Package menus keeps the messages with buttons that were sent: what a click is matched
// against, and how many clicks each takes.
//
// Of two presses that come at once one is counted first, by the lock on the menu's row;
// [Press.Count] decides in the transaction that stores the click.
package menus

import (
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Menus is the menus of a database. Its methods are safe for concurrent use.
type Menus struct {
	db    *sqldb.DB
	keep  time.Duration
	limit int
	now   func() time.Time
}

// New returns the menus of a migrated database. A menu is kept for the time after it
// was sent, or has expired if that is later; over limit the oldest go first.
func New(db *sqldb.DB, keep time.Duration, limit int, now func() time.Time) *Menus {
	return &Menus{db: db, keep: keep, limit: limit, now: now}
}

// Sweeps are the tables that time and the limit empty.
func (m *Menus) Sweeps() []sqldb.Sweep {
	return []sqldb.Sweep{{Table: "tapnode_menus", Key: "instance, message_id", Order: "created_at",
		Over: "created_at < $1 AND expires_at < $1", Before: m.now().Add(-m.keep), Limit: m.limit}}
}

// Forget removes an instance's menus.
func Forget(t *sqldb.Tx, instance string) error {
	_, err := t.Exec(`DELETE FROM tapnode_menus WHERE instance = $1`, instance)
	return err
}
