// Package registry stores the WhatsApp instances of a database: the device that each is paired
// with, the state that the operator wants, its last state, the lease that owns it, and until when
// it may not write to new contacts.
//
// The data under an instance's name belongs to the account it was paired with: [Registry.Own]
// removes it when another account takes the name.
//
// An instance has one owner: [Registry.ClaimLease] accepts no epoch below the highest it has seen,
// and checks and stores it in one transaction.
package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// ErrLeaseLost means that a newer lease owns the instance.
var ErrLeaseLost = errors.New("a newer lease owns the instance")

// Registry holds the instances of a database. Its methods are safe for concurrent use.
type Registry struct {
	db      *sqldb.DB
	signals *sqldb.Signals
	limit   int
	now     func() time.Time
	kept    []Kept
}

// Kept removes what another package stores under an instance's name.
type Kept struct {
	// Forget removes all of it, in the transaction that deletes the instance.
	Forget func(t *sqldb.Tx, instance string) error
	// Leave removes what belongs to the account, in the transaction that records another account.
	Leave func(t *sqldb.Tx, instance string) error
}

// New returns the registry of a migrated database for at most limit instances.
func New(db *sqldb.DB, signals *sqldb.Signals, limit int, now func() time.Time, kept ...Kept) *Registry {
	return &Registry{db: db, signals: signals, limit: limit, now: now, kept: kept}
}

// topic is the signal that instances have changed.
const topic = "instances"

// Changed returns a channel that is closed when another process has created, deleted or claimed an
// instance, or has changed what it shows of one. The signal may come late: see [sqldb.Signals].
func (r *Registry) Changed() <-chan struct{} { return r.signals.Wait(topic) }

// Sweeps lists the tables from which old rows are removed.
func (r *Registry) Sweeps() []sqldb.Sweep {
	return []sqldb.Sweep{
		{Table: "tapnode_pauses", Key: "instance, reason", Order: "until", Over: "until < $1", Before: r.now()},
		{Table: "tapnode_processes", Key: "id", Order: "beat", Over: "beat < $1", Before: r.now().Add(-24 * time.Hour)},
	}
}

// WebVersion reads the stored version of WhatsApp Web; "" if there is none or it has expired.
func (r *Registry) WebVersion(ctx context.Context) (string, error) {
	value, err := r.db.Meta(ctx, "web_version")
	if err != nil || value == "" {
		return "", sqldb.Wrap("read the version of WhatsApp Web", err)
	}
	version, end, _ := strings.Cut(value, " until ")
	until, err := strconv.ParseInt(end, 10, 64)
	if err != nil {
		return "", fmt.Errorf("read the version of WhatsApp Web: %q has no end: %w", value, err)
	}
	if until <= sqldb.Millis(r.now()) {
		return "", nil
	}
	return version, nil
}

// PutWebVersion stores a version that expires at until.
func (r *Registry) PutWebVersion(ctx context.Context, version string, until time.Time) error {
	return r.db.WriteUnsynced(ctx, "store the version of WhatsApp Web", func(t *sqldb.Tx) error {
		return t.PutMeta("web_version", version+" until "+strconv.FormatInt(sqldb.Millis(until), 10))
	})
}
