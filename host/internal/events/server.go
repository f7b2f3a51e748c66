package events

import (
	"context"
	"errors"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// server is one life of a Postgres server. The next one, or another server that has taken over, may lack the last
// events that were read: those that nobody had waited for. Their positions are then given to others, which who goes on
// behind them would pass over. Empty: a file, which does not forget.
type server string

// errAnother means that what was read may not be there any more, and has to be read anew.
var errAnother = errors.New("the database is another server, or has started anew: webhooks get the last events again")

func serverOf(ctx context.Context, db *sqldb.DB) (s server, err error) {
	if db.Dialect() == "postgres" {
		err = db.Row(ctx, started, nil, &s)
	}
	return s, err
}

const started = `SELECT pg_postmaster_start_time()::text`

// check is errAnother unless the database is still this one.
func (s server) check(ctx context.Context, db *sqldb.DB) error {
	now, err := serverOf(ctx, db)
	if err == nil && now != s {
		err = errAnother
	}
	return err
}

// within is check in a transaction.
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
