package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"
)

// transaction is a *sql.Tx, a liteTransaction or a pipeline.
type transaction interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	Commit() error
	Rollback() error
}

// liteTransaction is one on a connection to SQLite, of the writer, whose transactions no context ends. A *sql.Tx
// has a goroutine that waits for that, and each query in it another one: to start them wakes a processor each time.
type liteTransaction struct {
	*sql.Conn
	tx driver.Tx
}

// transaction begins one on a connection, which was last used at a time.
func (db *DB) transaction(ctx context.Context, c *sql.Conn, last time.Time) (transaction, error) {
	if db.dialect != "sqlite3" {
		return pipelined(ctx, c, last)
	}
	t := &liteTransaction{Conn: c}
	err := c.Raw(func(raw any) (err error) {
		lite, ok := raw.(*conn)
		if !ok {
			return fmt.Errorf("%T is no connection to SQLite", raw)
		}
		t.tx, err = lite.BeginTx(ctx, driver.TxOptions{})
		return err
	})
	return t, err
}

// Commit commits.
func (t *liteTransaction) Commit() error { return t.Raw(func(any) error { return t.tx.Commit() }) }

// Rollback rolls back.
func (t *liteTransaction) Rollback() error { return t.Raw(func(any) error { return t.tx.Rollback() }) }
