package events

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	// leaseTime is how long a lease lasts without renewal; then another host may take it.
	leaseTime = 15 * time.Second
	// renewEvery is how often the host that delivers renews its lease.
	renewEvery = 5 * time.Second
	leaseName  = "webhooks"
)

// errLease means that another host delivers now.
var errLease = errors.New("another host delivers the webhooks")

// lease decides which of the hosts that share a Postgres database delivers; with SQLite there is
// only one host. A call may still be in progress when another host takes over; the receiver then
// gets that event twice, under the same id.
type lease struct {
	db    *sqldb.DB
	owner string
	alone bool
}

func newLease(db *sqldb.DB) *lease {
	return &lease{db, rand.Text(), db.Dialect() != "postgres"}
}

// clock is the time of the database, in Unix milliseconds.
const clock = `CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)`

// take takes or renews the lease. It returns false if another host has it.
func (l *lease) take(ctx context.Context) (mine bool, err error) {
	if l.alone {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, renewEvery)
	defer cancel()
	res, err := l.db.SQL().ExecContext(ctx, `INSERT INTO engine_leases (name, owner, until) VALUES ($1, $2, `+clock+` + $3)
		ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
		WHERE engine_leases.owner = excluded.owner OR engine_leases.until < `+clock, leaseName, l.owner, leaseTime.Milliseconds())
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// give releases the lease, so that another host can take it at once.
func (l *lease) give(ctx context.Context) error {
	if l.alone {
		return nil
	}
	_, err := l.db.SQL().ExecContext(ctx, `DELETE FROM engine_leases WHERE name = $1 AND owner = $2`, leaseName, l.owner)
	return err
}

// check fails with errLease unless this host has the lease.
func (l *lease) check(t *sqldb.Tx) error {
	if l.alone {
		return nil
	}
	var n int
	if err := t.Row(`SELECT count(*) FROM engine_leases WHERE name = $1 AND owner = $2`, []any{leaseName, l.owner}, &n); err != nil {
		return err
	}
	if n == 0 {
		return errLease
	}
	return nil
}
