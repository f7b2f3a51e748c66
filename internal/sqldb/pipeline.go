package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// rested is how long a connection may be idle before it is pinged. Postgres may have restarted,
	// and because BEGIN is sent together with the statements that follow it, an error would not
	// show whether the transaction was committed.
	rested = time.Second
	// undoTime bounds a rollback. A connection that does not end its transaction in this time is closed.
	undoTime = 5 * time.Second
)

// pipeline is a transaction of the writer on Postgres. Statements are queued and sent together with
// the next one whose result somebody waits for, or with the commit: one round trip for all of them,
// BEGIN and COMMIT included. The server executes nothing after a statement that fails.
type pipeline struct {
	*sql.Conn
	ctx   context.Context
	sent  bool  // the server may have received part of it
	err   error // the first failure; nothing is done after it
	queue []*queued
}

// queued is a statement in the queue.
type queued struct {
	query string
	args  []any
	read  func(Scanner) error // called with each row; nil: rows are not wanted
	then  func(n int64) error // called with the number of rows once the results of the whole queue are read; nil: nobody waits

	n    int64
	text string // the server's command tag
}

// pipelined begins a transaction on a connection that was last used at last.
func pipelined(ctx context.Context, c *sql.Conn, last time.Time) (*pipeline, error) {
	err := c.Raw(func(raw any) error {
		pg, ok := raw.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("%T is no connection to Postgres", raw)
		}
		if pg.Conn().IsClosed() {
			return driver.ErrBadConn
		}
		if time.Since(last) < rested {
			return nil
		}
		return pg.Ping(ctx)
	})
	if err != nil {
		return nil, err
	}
	p := &pipeline{Conn: c, ctx: ctx}
	p.add(&queued{query: "BEGIN"})
	return p, nil
}

func (p *pipeline) add(s *queued) { p.queue = append(p.queue, s) }

// flush sends the queue, reads the results, and calls the then functions.
func (p *pipeline) flush() error {
	queue := p.queue
	if p.queue = nil; len(queue) == 0 || p.err != nil {
		return p.err
	}
	var err error
	lost := p.Raw(func(raw any) error {
		p.sent = true
		c := raw.(*stdlib.Conn).Conn()
		if err = send(p.ctx, c, queue); c.IsClosed() {
			return driver.ErrBadConn
		}
		return nil
	})
	if err == nil {
		err = lost
	}
	p.err = err
	for _, s := range queue {
		if p.err != nil || s.then == nil {
			continue
		}
		if err := s.then(s.n); p.err == nil { // then may have called flush, which sets it
			p.err = err
		}
	}
	return p.err
}

func send(ctx context.Context, c *pgx.Conn, queue []*queued) error {
	var batch pgx.Batch
	for _, s := range queue {
		batch.Queue(s.query, s.args...)
	}
	results := c.SendBatch(ctx, &batch)
	for _, s := range queue {
		if err := s.answer(results); err != nil {
			_ = results.Close() // it returns the same error
			return err
		}
	}
	return results.Close()
}

// answer reads the result of one statement.
func (s *queued) answer(results pgx.BatchResults) error {
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for s.read != nil && rows.Next() {
		if err := s.read(row{rows}); err != nil {
			return err
		}
	}
	rows.Close()
	s.n, s.text = rows.CommandTag().RowsAffected(), rows.CommandTag().String()
	return rows.Err()
}

// row scans a row as database/sql does: a number is accepted for a bool, too.
type row struct{ pgx.Rows }

// Scan reads the columns.
func (r row) Scan(dest ...any) error {
	dest = slices.Clone(dest)
	for i, d := range dest {
		if truth, ok := d.(*bool); ok {
			dest[i] = truths{truth}
		}
	}
	return r.Rows.Scan(dest...)
}

// truths accepts the values that database/sql accepts for a bool.
type truths struct{ to *bool }

// Scan implements sql.Scanner.
func (t truths) Scan(from any) error {
	v, err := driver.Bool.ConvertValue(from)
	if err == nil {
		*t.to = v.(bool)
	}
	return err
}

// tellAll flushes until every then function has been called.
func (p *pipeline) tellAll() error {
	for slices.ContainsFunc(p.queue, func(s *queued) bool { return s.then != nil }) {
		if err := p.flush(); err != nil {
			return err
		}
	}
	return nil
}

// QueryContext runs a query inside the transaction and reads its result row by row.
func (p *pipeline) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := p.flush(); err != nil {
		return nil, err
	}
	return p.Conn.QueryContext(ctx, query, args...)
}

// Commit commits, or leaves nothing behind.
func (p *pipeline) Commit() error {
	if !p.sent && len(p.queue) == 1 {
		return nil // nothing but BEGIN is queued
	}
	end := &queued{query: "COMMIT"}
	p.add(end)
	err := p.flush()
	if err == nil && end.text != "COMMIT" {
		err = fmt.Errorf("the database has answered COMMIT with %q", end.text)
	}
	if err != nil {
		_ = p.Rollback() // closes the connection when it fails
	}
	return err
}

// Rollback rolls back, or closes the connection.
func (p *pipeline) Rollback() error {
	if p.queue = nil; !p.sent {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), undoTime)
	defer cancel()
	return p.Raw(func(raw any) error {
		c := raw.(*stdlib.Conn).Conn()
		if c.PgConn().TxStatus() == 'I' {
			return nil
		}
		if _, err := c.Exec(ctx, "ROLLBACK"); err != nil {
			return errors.Join(driver.ErrBadConn, err, c.Close(ctx))
		}
		return nil
	})
}
