package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"go.mau.fi/whatsmeow/store/sqlstore"
)

// pgConns bounds the connections of one process.
const pgConns = 24

// whatsmeow passes lists of strings to ANY($1); pgx encodes a []string itself, so
// the wrapper only has to carry it.
func init() { sqlstore.PostgresArrayWrapper = wrapArray }

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
		return nil, "", errors.Join(wrap("reach Postgres", err), db.Close())
	}
	return db, "postgres", nil
}

// array carries a list through sqlstore's driver.Valuer and sql.Scanner to pgx,
// as the text form of a Postgres array.
type array struct{ list []string }

func wrapArray(v any) interface {
	driver.Valuer
	sql.Scanner
} {
	list, _ := v.([]string)
	return array{list}
}

// Value is the array's text form.
func (a array) Value() (driver.Value, error) {
	buf, err := pgtype.NewMap().Encode(pgtype.TextArrayOID, pgtype.TextFormatCode, a.list, nil)
	return string(buf), err
}

// Scan is not used: whatsmeow only writes arrays.
func (a array) Scan(any) error { return errors.New("arrays are write-only") }
