package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// migrations are applied in the order of their names and never edited once
// released; the number before the underscore is the version they lead to.
//
//go:embed schema/*.sql
var migrations embed.FS

// migrate brings our tables to the newest version and returns the database's id.
// It refuses a database that a newer program has migrated.
func migrate(ctx context.Context, db *sql.DB) (id [8]byte, err error) {
	t, err := db.BeginTx(ctx, nil)
	if err != nil {
		return id, wrap("migrate", err)
	}
	defer t.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	version, err := currentVersion(ctx, t)
	if err != nil {
		return id, wrap("read the schema version", err)
	}
	if err := upgrade(ctx, t, version); err != nil {
		return id, err
	}
	if id, err = identity(ctx, t); err != nil {
		return id, wrap("read the database's id", err)
	}
	return id, wrap("migrate", t.Commit())
}

func upgrade(ctx context.Context, t *sql.Tx, version int) error {
	names, err := fs.Glob(migrations, "schema/*.sql")
	if err != nil {
		return err
	}
	if version > len(names) {
		return fmt.Errorf("the database has schema version %d and this program knows %d: use the newer program", version, len(names))
	}
	for n := version; n < len(names); n++ {
		script, err := migrations.ReadFile(names[n])
		if err != nil {
			return err
		}
		for statement := range strings.SplitSeq(string(script), ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := t.ExecContext(ctx, statement); err != nil {
				return wrap("migrate to "+names[n], err)
			}
		}
	}
	return setMeta(ctx, t, "version", strconv.Itoa(len(names)))
}

func currentVersion(ctx context.Context, t *sql.Tx) (int, error) {
	const create = `CREATE TABLE IF NOT EXISTS tapnode_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)`
	if _, err := t.ExecContext(ctx, create); err != nil {
		return 0, err
	}
	value, err := meta(ctx, t, "version")
	if err != nil || value == "" {
		return 0, err
	}
	return strconv.Atoi(value)
}

// identity is made once. Cursors carry it, so that one of another database (a
// restored or emptied one) is told apart.
func identity(ctx context.Context, t *sql.Tx) (id [8]byte, err error) {
	value, err := meta(ctx, t, "id")
	if err != nil {
		return id, err
	}
	if value == "" {
		rand.Read(id[:])
		return id, setMeta(ctx, t, "id", hex.EncodeToString(id[:]))
	}
	raw, err := hex.DecodeString(value)
	if err != nil || len(raw) != len(id) {
		return id, errors.New("tapnode_meta holds a broken id")
	}
	return [8]byte(raw), nil
}

func meta(ctx context.Context, t *sql.Tx, name string) (value string, err error) {
	err = t.QueryRowContext(ctx, `SELECT value FROM tapnode_meta WHERE name = $1`, name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

func setMeta(ctx context.Context, t *sql.Tx, name, value string) error {
	_, err := t.ExecContext(ctx, `INSERT INTO tapnode_meta (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}
