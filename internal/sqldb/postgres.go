package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// pgConns bounds the connections of one process.
	pgConns = 24
	// warmConns is how many connections are opened at once at the start.
	warmConns = 6
	// eachServer is how long one of several servers may take to answer. A server whose machine is
	// down never answers, and must not use up the time in which the next one would.
	eachServer = 2 * time.Second
	// frozen is how long Postgres waits for the next statement of an open transaction, whose
	// process may be stopped or cut off. Postgres ends the transaction before others that wait for
	// its locks give up.
	frozen = lockWait / 2
)

func openPostgres(ctx context.Context, opt Options, _ *ahead) (*sql.DB, string, error) {
	cfg, err := postgresConfig(opt.Postgres)
	if err != nil {
		// pgx's error repeats the string, which holds the password.
		return nil, "", plain("open the database: the Postgres connection string cannot be read: use postgres://user:password@host/database")
	}
	if opt.Relaxed {
		cfg.RuntimeParams["synchronous_commit"] = "off"
	}
	cfg.RuntimeParams["application_name"] = "tapnode"
	cfg.RuntimeParams["lock_timeout"] = fmt.Sprint(lockWait.Milliseconds())
	cfg.RuntimeParams["idle_in_transaction_session_timeout"] = fmt.Sprint(frozen.Milliseconds())
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(pgConns)
	db.SetMaxIdleConns(pgConns)
	if err := warm(ctx, db); err != nil {
		return nil, "", errors.Join(Wrap("reach Postgres", err), db.Close())
	}
	return db, "postgres", nil
}

// warm opens a few connections at once, so that the first callers do not wait for them: for each
// one the server starts a process. It fails only if none can be opened.
func warm(ctx context.Context, db *sql.DB) error {
	var conns [warmConns]*sql.Conn
	var errs [warmConns]error
	var connecting sync.WaitGroup
	for i := range conns {
		connecting.Go(func() { conns[i], errs[i] = db.Conn(ctx) })
	}
	connecting.Wait()
	err := errs[0]
	for i, c := range conns {
		if errs[i] == nil {
			err = nil
			defer c.Close() //nolint:errcheck // it goes back to the pool
		}
	}
	return err
}

// postgresConfig reads a connection string. By default it excludes standby servers: their data is
// old, and a connection to one would fail at every write for as long as it is used.
func postgresConfig(text string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, err
	}
	if cfg.ValidateConnect == nil {
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	for _, other := range cfg.Fallbacks {
		if cfg.ConnectTimeout == 0 && (other.Host != cfg.Host || other.Port != cfg.Port) {
			cfg.ConnectTimeout = eachServer
		}
	}
	return cfg, nil
}
