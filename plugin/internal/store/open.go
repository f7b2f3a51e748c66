package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/store/sqlstore"
)

// Store is an open database. Its methods are safe for concurrent use.
type Store struct {
	opt     Options
	db      *sql.DB
	writer  *writer
	devices *devices
	log     *slog.Logger
	now     func() time.Time

	id      [8]byte // of this database, in every cursor
	held    claims
	wake    broadcast
	janitor janitor
	close   sync.Once
}

// Open opens the database, makes or migrates its tables, and whatsmeow's. The
// caller closes the store.
func Open(ctx context.Context, opt Options) (*Store, error) {
	opt = opt.withDefaults()
	open := openSQLite
	if opt.Postgres != "" {
		open = openPostgres
	}
	db, dialect, err := open(ctx, opt)
	if err != nil {
		return nil, err
	}
	s := &Store{opt: opt, db: db, log: opt.Log, now: opt.Now}
	if err := s.prepare(ctx, dialect); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context, dialect string) error {
	container := sqlstore.NewWithDB(s.db, dialect, waLogger{s.log})
	err := s.alone(ctx, func() (err error) {
		if s.id, err = migrate(ctx, s.db); err != nil {
			return err
		}
		return wrap("make whatsmeow's tables", container.Upgrade(ctx))
	})
	if err != nil {
		return err
	}
	if s.writer, err = newWriter(ctx, s.db, dialect); err != nil {
		return err
	}
	s.devices = newDevices(s, container)
	return s.skip(ctx)
}

// Close stops the janitor, finishes the writes that are under way and closes the
// database. Calls made afterwards fail with [ErrClosed]. It is idempotent.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		s.Stop()
		if s.writer != nil {
			s.writer.close()
		}
		s.wake.close()
		err = wrap("close the database", s.db.Close())
	})
	return err
}

// write runs fn in a transaction that it may share with others, and returns once
// that is committed. fn may run more than once: it must set its results anew each
// time, and touch nothing else.
func (s *Store) write(ctx context.Context, what string, fn func(*tx) error) error {
	return wrap(what, s.writer.do(ctx, true, fn))
}

// writeUnsynced is write for what may be lost in a power cut, though not in a
// crash of the process: SQLite's commit is in the file and not yet on the disk.
func (s *Store) writeUnsynced(ctx context.Context, what string, fn func(*tx) error) error {
	return wrap(what, s.writer.do(ctx, false, fn))
}

// writeSoon is writeUnsynced for what nobody waits for.
func (s *Store) writeSoon(ctx context.Context, what string, fn func(*tx) error) error {
	return wrap(what, s.writer.soon(ctx, fn))
}

// collect reads all rows with scan.
func collect[T any](ctx context.Context, db *sql.DB, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
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

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// millis and fromMillis convert times to columns and back; 0 is the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
