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
	// warmConns is how many there are at once when it starts.
	warmConns = 6
	// eachServer is how long one of several servers may take to answer. One whose machine is gone says
	// nothing, and must not take the time in which the next one would.
	eachServer = 2 * time.Second
	// frozen is how long a transaction waits for its process, which may be stopped or cut off: it goes before the
	// others that want its locks give up.
	frozen = lockWait / 2
)

func openPostgres(ctx context.Context, opt Options, _ *ahead) (*sql.DB, string, error) {
	cfg, err := postgresConfig(opt.Postgres)
	if err != nil {
		// pgx repeats the string, which holds the password.
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

// warm connects a few times at once, which whoever comes first would wait for: each connection is a process of the server.
// One is enough.
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

// postgresConfig reads a connection string. A standby is never connected to: what it reads is old, and a
// connection to it would fail at every write until it ends.
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
