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
	// rested is how long a connection may have done nothing before it is asked whether it still works: Postgres may
	// have been started anew, and what is begun with the first statements cannot be told from what was committed.
	rested = time.Second
	// undoTime bounds a rollback. A connection that does not end its transaction in this time is closed.
	undoTime = 5 * time.Second
)

// pipeline is a transaction of the writer on Postgres. What it is told to do goes to the server together with the next
// statement whose answer somebody waits for, or with the commit: one round trip for all of it, BEGIN and COMMIT included.
// The server carries out nothing behind a statement that fails.
type pipeline struct {
	*sql.Conn
	ctx   context.Context
	sent  bool  // something of it may be at the server
	err   error // of what has failed: nothing more is done
	queue []*queued
}

// queued is a statement in the queue.
type queued struct {
	query string
	args  []any
	read  func(Scanner) error // hears each row; nil: none is wanted
	then  func(n int64) error // hears how many rows there were, when the answers of the whole queue are read; nil: nobody waits

	n    int64
	text string // of the server's word that it is done
}

// pipelined begins a transaction on a connection that was last used at a time.
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

// flush sends the queue, reads the answers, and tells those who wait for them.
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
		if err := s.then(s.n); p.err == nil { // it may have met with one by itself
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
			_ = results.Close() // repeats it
			return err
		}
	}
	return results.Close()
}

// answer reads that of one statement.
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

// row is a row that is read as database/sql reads it: a number, too, is true or false.
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

// truths takes what database/sql takes for a bool.
type truths struct{ to *bool }

// Scan implements sql.Scanner.
func (t truths) Scan(from any) error {
	v, err := driver.Bool.ConvertValue(from)
	if err == nil {
		*t.to = v.(bool)
	}
	return err
}

// tellAll returns when everybody has heard what he waits for.
func (p *pipeline) tellAll() error {
	for slices.ContainsFunc(p.queue, func(s *queued) bool { return s.then != nil }) {
		if err := p.flush(); err != nil {
			return err
		}
	}
	return nil
}

// QueryContext reads what the transaction sees, row by row.
func (p *pipeline) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := p.flush(); err != nil {
		return nil, err
	}
	return p.Conn.QueryContext(ctx, query, args...)
}

// Commit commits, or leaves nothing behind.
func (p *pipeline) Commit() error {
	if !p.sent && len(p.queue) == 1 {
		return nil // there is only its beginning
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
