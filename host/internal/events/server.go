package events

import (
	"context"
	"errors"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// server identifies one start of a Postgres server. After a restart or a failover the database may
// lack the newest events, if they were read before they were durable. Other events then get their
// positions, and a sender that continued after them would skip those. Empty for SQLite, which has
// no such loss.
type server string

// errAnother means that events that were read may be missing now, and have to be read again.
var errAnother = errors.New("the database is another server, or has started anew: webhooks get the last events again")

func serverOf(ctx context.Context, db *sqldb.DB) (s server, err error) {
	if db.Dialect() == "postgres" {
		err = db.Row(ctx, started, nil, &s)
	}
	return s, err
}

const started = `SELECT pg_postmaster_start_time()::text`

// check fails with errAnother if the database server is another one now.
func (s server) check(ctx context.Context, db *sqldb.DB) error {
	now, err := serverOf(ctx, db)
	if err == nil && now != s {
		err = errAnother
	}
	return err
}

// within is like check, but reads in a transaction.
func (s server) within(t *sqldb.Tx) error {
	if s == "" {
		return nil
	}
	var now server
	err := t.Row(started, nil, &now)
	if err == nil && now != s {
		err = errAnother
	}
	return err
}
