// Package registry knows the WhatsApp instances of a database: which device each is
// paired with, what the operator wants of it, how it was last, which lease owns it, and
// until when it may not write to new contacts.
//
// An instance has one owner: [Registry.ClaimLease] takes the highest epoch it has seen
// and refuses lower ones, in one statement.
package registry

import (
	"errors"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// ErrLeaseLost means that a newer lease owns the instance.
var ErrLeaseLost = errors.New("a newer lease owns the instance")

// Registry is the instances of a database. Its methods are safe for concurrent use.
type Registry struct {
	db     *sqldb.DB
	limit  int
	now    func() time.Time
	forget []func(t *sqldb.Tx, instance string) error
}

// New returns the registry of a migrated database for at most limit instances. forget
// removes what others keep of an instance, in the transaction that deletes it.
func New(db *sqldb.DB, limit int, now func() time.Time, forget ...func(*sqldb.Tx, string) error) *Registry {
	return &Registry{db: db, limit: limit, now: now, forget: forget}
}

// Sweeps are the tables that time empties.
func (r *Registry) Sweeps() []sqldb.Sweep {
	return []sqldb.Sweep{{Table: "tapnode_pauses", Key: "instance, reason", Order: "until", Over: "until < $1", Before: r.now()}}
}
