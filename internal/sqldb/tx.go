package sqldb

import (
	"context"
	"database/sql"
)

// Tx is the transaction a write runs in.
type Tx struct {
	db    *DB
	ctx   context.Context
	sql   transaction
	pipe  *pipeline // sql, if it is one
	joint Joint

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

// end has everything run that waits for an answer, and then what the writes do together.
func (t *Tx) end() error {
	if err := t.settle(); err != nil || t.joint == nil {
		return err
	}
	if err := t.joint.End(t); err != nil {
		return err
	}
	return t.settle()
}

func (t *Tx) settle() error {
	if t.pipe == nil {
		return nil
	}
	return t.pipe.settle()
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

// Insert is Later for an INSERT of one row. If that is there already the transaction fails, with [ErrExists].
func (t *Tx) Insert(query string, args ...any) error {
	if t.pipe != nil {
		return t.Later(query, args...)
	}
	n, err := t.Exec(query+` ON CONFLICT DO NOTHING`, args...)
	if err == nil && n == 0 {
		err = ErrExists
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
	res, err := t.sql.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Row reads one row into dest; none is [ErrNotFound].
func (t *Tx) Row(query string, args []any, dest ...any) error {
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
	return t.sql.QueryContext(ctx, query, args...)
}
