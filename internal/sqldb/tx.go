package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// Tx is the transaction a write runs in.
type Tx struct {
	db    *DB
	ctx   context.Context
	sql   transaction
	pipe  *pipeline // sql, when that is a pipeline
	joint Joint

	follows bool           // the current write went ahead, and its rows are being written
	held    []statement    // statements of Last that have not run yet
	heldAt  map[string]int // index in held, by key

	committed []func()
}

// Joint is work that the writes of one transaction do together.
type Joint interface {
	// End runs after the last write, before the transaction commits.
	End(t *Tx) error
}

// Join returns the Joint of a transaction of [DB.Write]. The first write that asks for it creates
// it with begin. All users of one database must use the same type.
func Join[J Joint](t *Tx, begin func() (J, error)) (J, error) {
	if j, ok := t.joint.(J); ok {
		return j, nil
	}
	j, err := begin()
	if err == nil {
		t.joint = j
	}
	return j, err
}

// Committed has fn called when a transaction of [DB.Write] is committed, before any later write
// runs. fn must not block.
func (t *Tx) Committed(fn func()) { t.committed = append(t.committed, fn) }

// Context returns the transaction's context, for [One] and [All].
func (t *Tx) Context() context.Context { return t.ctx }

// end runs all statements that are still queued or held, and then the Joint.
func (t *Tx) end() error {
	t.follows = false
	if err := errors.Join(t.release(), t.tellAll()); err != nil || t.joint == nil {
		return err
	}
	if err := t.joint.End(t); err != nil {
		return err
	}
	return t.tellAll()
}

func (t *Tx) tellAll() error {
	if t.pipe == nil {
		return nil
	}
	return t.pipe.tellAll()
}

// Later runs a statement whose result nobody needs. On Postgres it is sent to the server with the
// next statement, in order. If it fails, the transaction is undone.
func (t *Tx) Later(query string, args ...any) error {
	return t.Then(query, args, nil, nil)
}

// Then runs a statement, calls read with each of its rows (nil: rows are not wanted), and finally
// calls then, if it is not nil, with the number of rows found or touched. On SQLite all of that is
// done when Then returns. On Postgres it happens later in the transaction, before it commits,
// together with the statements of the group's other writes: read must not use the transaction, then
// may. Without a then, the rows are read by the end of the transaction.
func (t *Tx) Then(query string, args []any, read func(Scanner) error, then func(n int64) error) error {
	if t.pipe != nil {
		t.pipe.add(&queued{query: query, args: args, read: read, then: then})
		return nil
	}
	if err := t.release(); err != nil {
		return err
	}
	var n int64
	var err error
	if read == nil {
		n, err = t.Exec(query, args...)
	} else {
		_, err = all(t.ctx, t.sql, func(row Scanner) (none struct{}, err error) {
			n++
			return none, read(row)
		}, query, args...)
	}
	if err != nil || then == nil {
		return err
	}
	return then(n)
}

// Insert is Later for an INSERT of one row. If the row already exists, the transaction fails with
// [ErrExists]. In a write that went ahead the row is skipped instead, because nobody waits for the
// result.
func (t *Tx) Insert(query string, args ...any) error {
	if t.pipe != nil {
		return t.Later(query, args...)
	}
	n, err := t.Exec(query+` ON CONFLICT DO NOTHING`, args...)
	if err == nil && n == 0 && !t.follows {
		err = ErrExists
	}
	return err
}

// Last is Later for a statement that overwrites everything an earlier statement with the same key
// did. Across consecutive writes that went ahead, only the last one runs: it is held until a write
// that did not go ahead uses the database, or until the transaction ends.
func (t *Tx) Last(key, query string, args ...any) error {
	if s, ok := t.sql.(*statements); ok {
		_, err := s.ExecContext(t.ctx, query, args...)
		if err == nil {
			(*s)[len(*s)-1].key = key
		}
		return err
	}
	if !t.follows {
		return t.Later(query, args...)
	}
	one := statement{query: query, args: args}
	if i, ok := t.heldAt[key]; ok {
		t.held[i] = one
		return nil
	}
	if t.heldAt == nil {
		t.heldAt = make(map[string]int)
	}
	t.heldAt[key] = len(t.held)
	t.held = append(t.held, one)
	return nil
}

// release runs the held statements, unless another write that went ahead may still replace them.
func (t *Tx) release() error {
	if t.follows || len(t.held) == 0 {
		return nil
	}
	held := t.held
	t.held = nil
	clear(t.heldAt)
	for _, one := range held {
		if _, err := t.sql.ExecContext(t.ctx, one.query, one.args...); err != nil {
			return err
		}
	}
	return nil
}

// Revised runs fn with final set. In a write that goes ahead, fn runs twice: its statements without
// final go into the log, and its statements with final write the rows and may use what has become
// known since. The rows must equal what the statements in the log lead to in the end, because after
// a crash those are executed instead. The second call is in another goroutine, may come more than
// once, and fails only when the database does.
func (t *Tx) Revised(fn func(t *Tx, final bool) error) error {
	s, ok := t.sql.(*statements)
	if !ok {
		return fn(t, true)
	}
	first := len(*s)
	err := fn(t, false)
	if n := len(*s) - first; err == nil && n > 0 {
		(*s)[first].again, (*s)[first].more = fn, n-1
	}
	return err
}

// ask is Then for a caller that waits for the result.
func (t *Tx) ask(query string, args []any, read func(Scanner) error) (int64, error) {
	s := &queued{query: query, args: args, read: read}
	t.pipe.add(s)
	err := t.pipe.flush()
	return s.n, err
}

// Exec runs a statement and reports how many rows it touched.
func (t *Tx) Exec(query string, args ...any) (int64, error) {
	if t.pipe != nil {
		return t.ask(query, args, nil)
	}
	if err := t.release(); err != nil {
		return 0, err
	}
	res, err := t.sql.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Row reads one row into dest; without a row it returns [ErrNotFound].
func (t *Tx) Row(query string, args []any, dest ...any) error {
	if err := t.release(); err != nil {
		return err
	}
	if t.pipe == nil {
		return notFound(t.sql.QueryRowContext(t.ctx, query, args...).Scan(dest...))
	}
	found := false
	_, err := t.ask(query, args, func(row Scanner) error {
		if found {
			return nil
		}
		found = true
		return row.Scan(dest...)
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return err
}

// QueryContext runs a query inside the transaction.
func (t *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := t.release(); err != nil {
		return nil, err
	}
	return t.sql.QueryContext(ctx, query, args...)
}

// transaction is a *sql.Tx, a liteTransaction or a pipeline.
type transaction interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	Commit() error
	Rollback() error
}

// liteTransaction is a transaction on the writer's SQLite connection, which no context ends. A
// *sql.Tx has a goroutine that watches its context, and each query in it has another one; starting
// a goroutine wakes a processor each time.
type liteTransaction struct {
	*sql.Conn
	tx driver.Tx
}

// transaction begins a transaction on a connection that was last used at last.
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
