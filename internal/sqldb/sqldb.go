// Package sqldb opens SQLite and PostgreSQL behind one interface: pooled connections, a writer that
// commits in groups, migrations, and a sweeper that keeps tables small. The same SQL text serves
// both, with $1 for arguments.
//
// What the package guarantees:
//
//   - Committed before visible. [DB.Write] returns only after its transaction is on disk.
//     [DB.WriteUnsynced] and [DB.WriteSoon] return when a crash of the process can no longer lose
//     it, though a power cut may. PostgreSQL syncs every commit.
//   - All or nothing. Every write is one transaction; after an error nothing of it is stored.
//     [ErrDiskFull] and [ErrBusy] name the two errors an operator can fix.
//   - Group commit. Writes that arrive while the last commit is being synced are committed
//     together; a write that fails does not make the others fail.
//   - Few round trips on Postgres: statements of [Tx.Later] and [Tx.Then] go to the server
//     together, for the whole group, with BEGIN and COMMIT.
//   - Writes that go ahead are durable and keep their order: [DB.WriteAhead] returns when a log has
//     the write on the disk. Its rows reach the database before every later write, in this process
//     or the next, and before anyone reads them.
//   - A fair queue for SQLite's write lock, and statements compiled once per
//     connection, also for other users of [DB.SQL].
//   - A write in one process wakes those who wait for it in another, also behind a pooler that
//     passes on no notifications: see [Signals].
//   - The directory of a SQLite file is private (0700), and so is the file (0600).
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"time"
)

// Options say where a database is.
type Options struct {
	// Dir holds the SQLite file; it is made with mode 0700. Not used with Postgres.
	Dir string
	// File is the name of the SQLite file in Dir; SQLite adds -wal and -shm.
	File string
	// Postgres is a connection string (libpq URL or key=value form); empty means SQLite.
	Postgres string
	// Relaxed allows a power cut (not a crash of the process) to lose the last commits: PRAGMA
	// synchronous=NORMAL, or synchronous_commit=off.
	Relaxed bool
	// Ahead makes writes of [DB.WriteAhead] wait for a log in Dir instead of SQLite, and is called
	// with the error of each whose rows the database refuses; nil: they wait for SQLite. No other
	// process may write to the file. Not used with Postgres, nor with Relaxed.
	Ahead func(refused error)
}

// DB is an open database. Its methods are safe for concurrent use.
type DB struct {
	opt     Options
	sql     *sql.DB
	dialect string
	writer  *writer
	ahead   *ahead // nil: no write goes ahead
	close   sync.Once

	meta string  // Schema.Meta
	id   [8]byte // see ID
}

// Open opens the database. The caller closes it.
func Open(ctx context.Context, opt Options) (*DB, error) {
	open := openSQLite
	if opt.Postgres != "" {
		open = openPostgres
	}
	a := &ahead{behind: map[string]int{}}
	plain, dialect, err := open(ctx, opt, a)
	if err != nil {
		return nil, err
	}
	db := &DB{opt: opt, sql: plain, dialect: dialect}
	if db.writer, err = newWriter(ctx, db, a); err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	if opt.Ahead != nil && !opt.Relaxed && dialect == "sqlite3" {
		if err := db.openAhead(ctx, filepath.Join(opt.Dir, opt.File)); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}

// Rest closes all idle SQLite connections but one. Each keeps 2 MiB of pages that it has read, and
// its compiled statements. Connections are opened again when they are needed. On Postgres Rest does
// nothing.
func (db *DB) Rest() {
	if db.dialect == "sqlite3" {
		db.sql.SetMaxIdleConns(1)
		db.sql.SetMaxIdleConns(readers + 1)
	}
}

// Close finishes the writes that are under way, waits until no connection of [DB.SQL] is in use,
// and closes the database. Calls made afterwards fail with [ErrClosed]. It is idempotent.
func (db *DB) Close() error {
	var err error
	db.close.Do(func() {
		db.writer.close()
		err = Wrap("close the database", db.sql.Close())
		if db.ahead != nil {
			err = errors.Join(err, db.ahead.close())
		}
	})
	return err
}

// SQL returns the connection pool, for a library that runs its own statements. Its writes wait for
// the same turn as those of [DB.Write].
func (db *DB) SQL() *sql.DB { return db.sql }

// Dialect is "sqlite3" or "postgres".
func (db *DB) Dialect() string { return db.dialect }

// Write runs fn in a transaction that it may share with other writes, and returns once that is
// committed. fn may run more than once: it must set its results anew each time, and have no other
// effect. If ctx ends before the transaction begins, nothing is written; after that ctx is ignored,
// because the caller must learn whether the write was committed.
func (db *DB) Write(ctx context.Context, what string, fn func(*Tx) error) error {
	return Wrap(what, db.writer.wait(newJob(ctx, fn, synced)))
}

// WriteUnsynced is Write for data that a power cut may lose, though not a crash of the process:
// SQLite's commit is in the file but not yet on the disk.
func (db *DB) WriteUnsynced(ctx context.Context, what string, fn func(*Tx) error) error {
	return Wrap(what, db.writer.wait(newJob(ctx, fn, unsynced)))
}

// WriteSoon is WriteUnsynced for a write that may wait a moment for another to share
// its commit.
func (db *DB) WriteSoon(ctx context.Context, what string, fn func(*Tx) error) error {
	return Wrap(what, db.writer.wait(newJob(ctx, fn, lingering)))
}

// Begin is WriteUnsynced without the waiting: it returns at once while there is room in the queue
// of waiting writes. The write is committed after those begun earlier and before those begun later,
// or together with them. wait returns as WriteUnsynced does.
func (db *DB) Begin(ctx context.Context, what string, fn func(*Tx) error) (wait func() error) {
	return db.begin(newJob(ctx, fn, unsynced), what)
}

// BeginSynced is Begin for a write that must be on the disk: wait returns as Write does.
func (db *DB) BeginSynced(ctx context.Context, what string, fn func(*Tx) error) (wait func() error) {
	return db.begin(newJob(ctx, fn, synced), what)
}

func (db *DB) begin(j *job, what string) (wait func() error) {
	if err := db.writer.hand(j); err != nil {
		return func() error { return Wrap(what, err) }
	}
	return func() error { return Wrap(what, db.writer.outcome(j)) }
}

// Hand queues a write for the next commit and does not wait for it. The error of the write itself
// is lost.
func (db *DB) Hand(ctx context.Context, what string, fn func(*Tx) error) error {
	return Wrap(what, db.writer.hand(newJob(context.WithoutCancel(ctx), fn, lingering)))
}

// Follow is WriteSoon without the waiting: the goroutine that commits the write calls then with the
// outcome. then must neither block nor write. It is not called when Follow itself returns an error,
// nor when the database is closed before the write's turn.
func (db *DB) Follow(ctx context.Context, what string, fn func(*Tx) error, then func(error)) error {
	j := newJob(context.WithoutCancel(ctx), fn, lingering)
	j.then = func(err error) { then(Wrap(what, err)) }
	return Wrap(what, db.writer.hand(j))
}

// Committed records an unsynced commit that was made through [DB.SQL] and returns its number for
// [DB.OnDisk].
func (db *DB) Committed() uint64 { return db.writer.commits.Add(1) }

// OnDisk reports whether a later synced write has taken the unsynced commit to the disk.
func (db *DB) OnDisk(commit uint64) bool { return commit <= db.writer.onDisk.Load() }

// Querier runs queries: a [DB], or a [Tx], which sees its own writes.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// QueryContext reads outside any transaction of [DB.Write].
func (db *DB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := db.sql.QueryContext(ctx, query, args...)
	return rows, ended(err)
}

// Row reads one row into dest; without a row it returns [ErrNotFound].
func (db *DB) Row(ctx context.Context, query string, args []any, dest ...any) error {
	return db.reading(ctx, func(ctx context.Context, q rower) error {
		return notFound(q.QueryRowContext(ctx, query, args...).Scan(dest...))
	})
}

// rower is what the pool and a connection have in common.
type rower interface {
	Querier
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// reading calls read with the pool or, on SQLite, with one connection. There ctx matters only for
// getting the connection: queries are short, and for each one whose context can end a goroutine is
// started to watch it.
func (db *DB) reading(ctx context.Context, read func(context.Context, rower) error) error {
	if db.dialect != "sqlite3" {
		return ended(read(ctx, db.sql))
	}
	c, err := db.sql.Conn(ctx)
	if err != nil {
		return ended(err)
	}
	defer c.Close() //nolint:errcheck // it goes back to the pool
	return read(context.WithoutCancel(ctx), c)
}

// Scanner is a *sql.Row or *sql.Rows.
type Scanner interface{ Scan(dest ...any) error }

// One reads one row with scan; without a row it returns [ErrNotFound].
func One[T any](ctx context.Context, q Querier, scan func(Scanner) (T, error), query string, args ...any) (T, error) {
	var none T
	all, err := All(ctx, q, scan, query, args...)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return none, err
	}
	return all[0], nil
}

// All reads all rows with scan.
func All[T any](ctx context.Context, q Querier, scan func(Scanner) (T, error), query string, args ...any) (out []T, err error) {
	if t, ok := q.(*Tx); ok && t.pipe != nil {
		_, err = t.ask(query, args, func(row Scanner) error {
			v, err := scan(row)
			out = append(out, v)
			return err
		})
		if err != nil {
			return nil, err
		}
		return out, nil
	}
	db, ok := q.(*DB)
	if !ok {
		return all(ctx, q, scan, query, args...)
	}
	err = db.reading(ctx, func(ctx context.Context, q rower) error {
		out, err = all(ctx, q, scan, query, args...)
		return err
	})
	return out, err
}

func all[T any](ctx context.Context, q Querier, scan func(Scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// Millis converts a time to a column's value; the zero time is 0.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time converts a value of [Millis] back, in UTC.
func Time(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
