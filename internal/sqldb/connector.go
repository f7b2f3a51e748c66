package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// connector gives every SQLite connection four things the driver does not have: compiled statements
// that are reused by their text (whatsmeow's included), a fair queue for the write lock in place of
// SQLite's sleeping and retrying, transactions that are not synced (see [Unsynced]), and the wait
// for the rows of writes that went ahead (see [DB.WriteAhead]). It also counts the open
// connections, so that [DB.Close] can wait for the last.
type connector struct {
	driver.Connector
	relaxed bool          // nothing is synced anyway
	turn    chan struct{} // holds one token: the right to write
	ahead   *ahead        // every access waits for its rows

	mu     sync.Mutex
	open   int           // connections
	closed bool          // no more are opened
	last   chan struct{} // closed when closed is set and open is 0
}

func newConnector(c driver.Connector, relaxed bool, a *ahead) *connector {
	return &connector{Connector: c, relaxed: relaxed, turn: make(chan struct{}, 1), ahead: a, last: make(chan struct{})}
}

// enter counts a connection that is about to be opened.
func (c *connector) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.open++
	return nil
}

// leave counts a connection that has been closed.
func (c *connector) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open--; c.closed && c.open == 0 {
		close(c.last)
	}
}

// Close waits until no connection is in use. sql.DB.Close, which calls it, does not wait, and a
// connection that is still being opened would create the file anew after its owner has removed it.
func (c *connector) Close() error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		if c.open == 0 {
			close(c.last)
		}
	}
	c.mu.Unlock()
	t := time.NewTimer(lockWait)
	defer t.Stop()
	select {
	case <-c.last:
		return nil
	case <-t.C:
		return errors.New("a connection is still in use")
	}
}

type unsyncedKey struct{}

// Unsynced makes the commit of a transaction begun with ctx return when it is in the file and not
// yet on the disk. The next synced commit, on any connection, takes it there.
func Unsynced(ctx context.Context) context.Context {
	return context.WithValue(ctx, unsyncedKey{}, true)
}

// Connect opens a connection.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	plain, err := c.Connector.Connect(ctx)
	if err != nil {
		c.leave()
		return nil, err
	}
	full, ok := plain.(liteConn)
	if !ok {
		defer c.leave()
		return nil, errors.Join(errors.New("the SQLite driver lacks an interface this store needs"), plain.Close())
	}
	return &conn{liteConn: full, left: c.leave, turn: c.turn, ahead: c.ahead, relaxed: c.relaxed, full: !c.relaxed, stmts: make(map[string]*cached)}, nil
}

// liteConn is what modernc.org/sqlite's connection implements.
type liteConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
	driver.Pinger
}

// conn is one connection. database/sql uses it from one goroutine at a time.
type conn struct {
	liteConn
	left    func() // called when it is closed
	turn    chan struct{}
	ahead   *ahead
	relaxed bool
	full    bool // PRAGMA synchronous is FULL and not NORMAL
	inTx    bool
	broken  bool // it can no longer write (see seen), or a transaction may still be open
	stmts   map[string]*cached
}

// sync sets whether the next commit waits for the disk.
func (c *conn) sync(ctx context.Context, full bool) error {
	if c.relaxed || c.full == full {
		return nil
	}
	pragma := "PRAGMA synchronous=NORMAL"
	if full {
		pragma = "PRAGMA synchronous=FULL"
	}
	_, err := c.liteConn.ExecContext(context.WithoutCancel(ctx), pragma, nil)
	if err == nil {
		c.full = full
	}
	return err
}

// IsValid makes database/sql close a broken connection, because a write in a transaction that
// nobody commits would be lost.
func (c *conn) IsValid() bool { return !c.broken && c.liteConn.IsValid() }

// seen gives up a connection that cannot write: SQLite opens a file read-only if it may not be
// written at that moment, and keeps it read-only for good.
func (c *conn) seen(err error) error {
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		if code := lite.Code() & 0xff; code == sqlite3.SQLITE_READONLY || code == sqlite3.SQLITE_IOERR {
			c.broken = true
		}
	}
	return err
}

// lock waits for the right to write.
func (c *conn) lock(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(lockWait)
	defer timer.Stop()
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ErrBusy
	}
}

func (c *conn) unlock() { <-c.turn }

// BeginTx begins an immediate transaction when it is this connection's turn.
func (c *conn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	if c.broken {
		return nil, driver.ErrBadConn
	}
	if err := c.ahead.await(ctx); err != nil {
		return nil, err
	}
	if err := c.lock(ctx); err != nil {
		return nil, err
	}
	err := c.sync(ctx, ctx.Value(unsyncedKey{}) == nil)
	if err == nil {
		err = c.run(context.WithoutCancel(ctx), "BEGIN IMMEDIATE")
	}
	if err != nil {
		c.unlock()
		return nil, err
	}
	c.inTx = true
	return (*liteTx)(c), nil
}

// ExecContext runs a statement outside or inside a transaction. Statements are short, so the
// context is checked before they run and not watched meanwhile: the driver would start a goroutine
// for that each time.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !c.inTx {
		if err := c.ahead.await(ctx); err != nil {
			return nil, err
		}
		if err := c.lock(ctx); err != nil {
			return nil, err
		}
		defer c.unlock()
		if err := c.sync(ctx, true); err != nil {
			return nil, err
		}
	}
	ctx = context.WithoutCancel(ctx)
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	var res driver.Result
	if s == nil {
		res, err = c.liteConn.ExecContext(ctx, positional(query), args)
	} else {
		res, err = s.ExecContext(ctx, args)
	}
	return res, c.seen(err)
}

// QueryContext reads. Reading needs no turn: the file is in WAL mode.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !c.inTx {
		if err := c.ahead.await(ctx); err != nil {
			return nil, err
		}
	}
	ctx = context.WithoutCancel(ctx)
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.liteConn.QueryContext(ctx, positional(query), args)
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.open = true
	return &cachedRows{Rows: rows, stmt: s}, nil
}

// run executes a statement without arguments.
func (c *conn) run(ctx context.Context, query string) error {
	s, err := c.statement(ctx, query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(ctx, nil)
	return c.seen(err)
}

// Close closes the cached statements and the connection, and thereby ends a transaction that is
// still open.
func (c *conn) Close() error {
	defer c.left()
	if c.inTx {
		c.inTx = false
		defer c.unlock()
	}
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	clear(c.stmts)
	return errors.Join(append(errs, c.liteConn.Close())...)
}

// liteTx is the transaction of its connection.
type liteTx conn

// Commit commits, or leaves nothing behind.
func (t *liteTx) Commit() error {
	c := (*conn)(t)
	defer c.unlock()
	c.inTx = false
	err := c.run(context.Background(), "COMMIT")
	if err != nil {
		err = errors.Join(err, c.rollback())
	}
	return err
}

// Rollback rolls back.
func (t *liteTx) Rollback() error {
	c := (*conn)(t)
	defer c.unlock()
	c.inTx = false
	return c.rollback()
}

// rollback also fails when SQLite has already rolled back by itself, as it does when the disk is
// full. The connection is given up in that case, too, because the two look alike.
func (c *conn) rollback() error {
	err := c.run(context.Background(), "ROLLBACK")
	c.broken = c.broken || err != nil
	return err
}

// positional turns $1 into SQLite's ?1. No statement here contains any other dollar sign. Arguments
// that occur once each and in order lose their numbers: SQLite keeps numbered ones as names in a
// list, which the driver walks for each argument of each call.
func positional(query string) string {
	parts := strings.Split(query, "$")
	var plain strings.Builder
	plain.WriteString(parts[0])
	for i, part := range parts[1:] {
		rest, ok := strings.CutPrefix(part, strconv.Itoa(i+1))
		if !ok || rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return strings.ReplaceAll(query, "$", "?")
		}
		plain.WriteString("?" + rest)
	}
	return plain.String()
}

// cachedStatements is how many compiled statements a connection keeps: enough for a program that
// has fixed texts and some lists of varying length.
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
