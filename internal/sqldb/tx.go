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
	pipe  *pipeline // sql, if it is one
	joint Joint

	follows bool           // the write that runs went ahead, and these are its rows
	held    []statement    // of Last
	heldAt  map[string]int // where in held, by key

	committed []func()
}

// Joint is what the writes of one transaction do together.
type Joint interface {
	// End runs behind the last of them, before the transaction commits.
	End(t *Tx) error
}

// Join returns the Joint of a transaction of [DB.Write], which the first write that asks begins.
// All that use a database want the same type of it.
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

// Committed has fn called when a transaction of [DB.Write] is committed, before any later
// write runs. fn must not wait for anything.
func (t *Tx) Committed(fn func()) { t.committed = append(t.committed, fn) }

// Context is the transaction's, for [One] and [All].
func (t *Tx) Context() context.Context { return t.ctx }

// end has everything run that waits, for an answer or for its turn, and then what the writes do together.
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

// Later runs a statement of which nobody has to hear: on Postgres it goes to the server with the next one, in their
// order. One that fails undoes the transaction.
func (t *Tx) Later(query string, args ...any) error {
	return t.Then(query, args, nil, nil)
}

// Then runs a statement, has read read each of its rows (nil: none is wanted), and then hears how many it found or
// touched, if it is not nil. On SQLite that is over when Then returns; on Postgres it happens later in the transaction, before
// it commits, together with what the other writes of the group ask: read must not use the transaction, then may.
// Without a then the rows are read when the transaction ends.
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

// Insert is Later for an INSERT of one row. If that is there already the transaction fails, with [ErrExists]; but rows of
// a write that went ahead are left out then, as nobody is there to hear of it.
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

// Last is Later for a statement that leaves nothing of what an earlier one with the same key has done. Of those of
// writes that went ahead only the last in a row runs: it waits until another write comes to the database, or the
// transaction to its end.
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

// release runs what waits, unless another write that went ahead may still replace it.
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

// Revised runs fn, with final set. In a write that goes ahead it runs twice: what it does without final goes into the
// log, and what it does with final are the rows, which may know more by the time they are written. They must be what
// those of the log come to in the end, since after a crash it is those that follow. The second time is in another
// goroutine, may come more than once, and fails only when the database does.
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

// ask is Then for one who waits.
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

// Row reads one row into dest; none is [ErrNotFound].
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

// QueryContext reads what the transaction sees.
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
