package sqldb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

// Schema describes the tables of one program as a list of migrations. They are applied in the order
// of their names and never edited once released; the number of files is the version they lead to.
type Schema struct {
	// Meta names the table that holds the version, the database's id and the values that the
	// program stores with [Tx.PutMeta].
	Meta string
	// Files holds *.sql. Statements end with a semicolon and a new line. Text that follows "--
	// sqlite: " on its line is for SQLite alone.
	Files fs.FS
}

// Migrate brings the tables to the newest version, in one transaction, while no other process can
// do the same. It refuses a database that a newer program has migrated. then may create the tables
// of a library under the same lock; nil for none.
func (db *DB) Migrate(ctx context.Context, s Schema, then func() error) error {
	unlock, err := db.lockSchema(ctx)
	if err != nil {
		return Wrap("lock the schema", err)
	}
	err = db.migrate(ctx, s)
	if err == nil && then != nil {
		err = then()
	}
	return errors.Join(err, Wrap("unlock the schema", unlock()))
}

func (db *DB) migrate(ctx context.Context, s Schema) error {
	plain, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return Wrap("migrate", err)
	}
	defer plain.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	db.meta = s.Meta
	t := &Tx{db: db, ctx: ctx, sql: plain}
	version, err := t.version()
	if err != nil {
		return Wrap("read the schema version", err)
	}
	if err := t.upgrade(s.Files, version); err != nil {
		return err
	}
	if db.id, err = t.identity(); err != nil {
		return Wrap("read the database's id", err)
	}
	return Wrap("migrate", plain.Commit())
}

func (t *Tx) upgrade(files fs.FS, version int) error {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return err
	}
	if version > len(names) {
		return plain(fmt.Sprintf("the database has schema version %d and this program knows %d: use the newer program", version, len(names)))
	}
	for _, name := range names[version:] {
		script, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		text := string(script)
		if t.db.dialect == "sqlite3" {
			text = strings.ReplaceAll(text, "-- sqlite: ", "")
		}
		for statement := range strings.SplitSeq(text, ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := t.Exec(statement); err != nil {
				return Wrap("migrate to "+name, err)
			}
		}
	}
	return t.PutMeta("version", strconv.Itoa(len(names)))
}

func (t *Tx) version() (int, error) {
	if _, err := t.Exec(`CREATE TABLE IF NOT EXISTS ` + t.db.meta + ` (name TEXT PRIMARY KEY, value TEXT NOT NULL)`); err != nil {
		return 0, err
	}
	value, err := t.db.readMeta(t.ctx, t, "version")
	if err != nil || value == "" {
		return 0, err
	}
	return strconv.Atoi(value)
}

// identity returns the database's id, which is created once.
func (t *Tx) identity() (id [8]byte, err error) {
	value, err := t.db.readMeta(t.ctx, t, "id")
	if err != nil {
		return id, err
	}
	if value == "" {
		rand.Read(id[:])
		return id, t.PutMeta("id", hex.EncodeToString(id[:]))
	}
	raw, err := hex.DecodeString(value)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("%s holds a broken id", t.db.meta)
	}
	return [8]byte(raw), nil
}

// ID distinguishes this database from another one, such as a restored or emptied one. [DB.Migrate]
// creates it.
func (db *DB) ID() [8]byte { return db.id }

// Meta reads a value stored with [Tx.PutMeta]; "" when there is none.
func (db *DB) Meta(ctx context.Context, name string) (string, error) {
	return db.readMeta(ctx, db, name)
}

// PutMeta stores a value of the program under a name.
func (t *Tx) PutMeta(name, value string) error {
	_, err := t.Exec(`INSERT INTO `+t.db.meta+` (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}

func (db *DB) readMeta(ctx context.Context, q Querier, name string) (string, error) {
	value, err := One(ctx, q, func(row Scanner) (v string, err error) {
		err = row.Scan(&v)
		return v, err
	}, `SELECT value FROM `+db.meta+` WHERE name = $1`, name)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return value, err
}

// schemaLock is the advisory lock that is held on Postgres while tables are created or migrated.
const schemaLock = 7391562841

func (db *DB) lockSchema(ctx context.Context) (unlock func() error, err error) {
	if db.opt.Postgres == "" {
		return lockFile(ctx, filepath.Join(db.opt.Dir, "schema.lock"))
	}
	// A transaction holds the lock rather than a session, because pgbouncer may run each
	// transaction of a session on another server connection.
	t, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, statement := range []string{`SET LOCAL idle_in_transaction_session_timeout = 0`, fmt.Sprintf(`SELECT pg_advisory_xact_lock(%d)`, schemaLock)} {
		if _, err := t.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(err, t.Rollback())
		}
	}
	return t.Commit, nil
}

// lockFile locks a file with SQLite's own locks, which work wherever the database
// does and end with the process. The lock cannot be in the database itself: a
// library's upgrade begins its own transaction there.
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
