package sqldb

import (
	"context"
	"database/sql/driver"
	"strings"
)

// cachedStatements is how many compiled statements a connection keeps: all of a
// program that has fixed texts and some lists of varying length.
const cachedStatements = 256

// cached is a compiled statement that lives as long as its connection.
type cached struct {
	liteStmt
	open bool // its rows are being read
}

// liteStmt is what modernc.org/sqlite's statement implements.
type liteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// statement returns the compiled statement for query, or nil when it cannot be
// shared: its rows are still open, or it is a PRAGMA, which SQLite may carry out
// while compiling and only then.
func (c *conn) statement(ctx context.Context, query string) (*cached, error) {
	if strings.HasPrefix(query, "PRAGMA") {
		return nil, nil
	}
	if s, ok := c.stmts[query]; ok {
		if s.open {
			return nil, nil
		}
		return s, nil
	}
	plain, err := c.PrepareContext(ctx, positional(query))
	if err != nil {
		return nil, err
	}
	full, ok := plain.(liteStmt)
	if !ok {
		return nil, plain.Close()
	}
	s := &cached{liteStmt: full}
	c.evict()
	c.stmts[query] = s
	return s, nil
}

// evict makes room for one more statement.
func (c *conn) evict() {
	if len(c.stmts) < cachedStatements {
		return
	}
	for query, s := range c.stmts {
		if !s.open {
			_ = s.Close() // a reset statement cannot fail to close
			delete(c.stmts, query)
			return
		}
	}
}

// cachedRows gives the statement back when it is closed.
type cachedRows struct {
	driver.Rows
	stmt *cached
}

// Close closes the rows.
func (r *cachedRows) Close() error {
	r.stmt.open = false
	return r.Rows.Close()
}
