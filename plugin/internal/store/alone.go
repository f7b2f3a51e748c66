package store

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
)

// schemaLock is held on Postgres while tables are made or migrated.
const schemaLock = 7391562841

// alone runs fn, which makes or migrates our tables and whatsmeow's, while no
// other process does: two may start at once, and whatsmeow's fail then.
func (s *Store) alone(ctx context.Context, fn func() error) error {
	unlock, err := s.lockSchema(ctx)
	if err != nil {
		return wrap("lock the schema", err)
	}
	err = fn()
	return errors.Join(err, wrap("unlock the schema", unlock()))
}

func (s *Store) lockSchema(ctx context.Context) (unlock func() error, err error) {
	if s.opt.Postgres == "" {
		return lockFile(ctx, filepath.Join(s.opt.Dir, "schema.lock"))
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, schemaLock); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return func() error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, schemaLock)
		return errors.Join(err, conn.Close())
	}, nil
}

// lockFile locks a file with SQLite's own locks, which work wherever the database
// does and end with the process. The lock cannot be in the database itself:
// whatsmeow's upgrade begins its own transaction there.
func lockFile(ctx context.Context, path string) (unlock func() error, err error) {
	if err := touch(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+escapePath(path)+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	t, err := db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return func() error { return errors.Join(t.Rollback(), db.Close()) }, nil
}
