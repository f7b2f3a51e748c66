package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// pgConns bounds the connections of one process.
const pgConns = 24

func openPostgres(ctx context.Context, opt Options) (*sql.DB, string, error) {
	cfg, err := pgx.ParseConfig(opt.Postgres)
	if err != nil {
		// pgx repeats the string, which holds the password.
		return nil, "", errors.New("open the database: the Postgres connection string cannot be read: use postgres://user:password@host/database")
	}
	if opt.Relaxed {
		cfg.RuntimeParams["synchronous_commit"] = "off"
	}
	cfg.RuntimeParams["application_name"] = "tapnode"
	cfg.RuntimeParams["lock_timeout"] = fmt.Sprint(lockWait.Milliseconds())
	cfg.RuntimeParams["idle_in_transaction_session_timeout"] = fmt.Sprint(3 * lockWait.Milliseconds())
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(pgConns)
	db.SetMaxIdleConns(pgConns)
	if err := db.PingContext(ctx); err != nil {
		return nil, "", errors.Join(Wrap("reach Postgres", err), db.Close())
	}
	return db, "postgres", nil
}
