package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// Snapshot copies the SQLite file at from, as it is at one moment, to the file to, which must not
// exist and is created with mode 0600. Processes that have the file open can go on reading and
// writing; SQLite's log grows until the copy is complete. Call it in a process that does not have
// the file open, or has it open through [DB] only: opening the file by other means in such a
// process would release its locks.
func Snapshot(ctx context.Context, from, to string) (err error) {
	if _, err := os.Stat(from); err != nil { // SQLite would create it
		return Wrap("snapshot", err)
	}
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return Wrap("snapshot", err)
	}
	if err := file.Close(); err != nil {
		return Wrap("snapshot", err)
	}
	db, err := sql.Open("sqlite", "file:"+escapePath(from)+"?mode=rw&_pragma=busy_timeout(10000)&_pragma=trusted_schema(0)")
	if err != nil {
		return Wrap("snapshot of "+from, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, `VACUUM INTO ?1`, to)
	return Wrap("snapshot of "+from, err)
}

// Inspect checks a whole SQLite file that no process has open, and returns the schema version of
// the tables whose [Schema.Meta] is meta: 0 if there are none.
func Inspect(ctx context.Context, path, meta string) (version int, err error) {
	db, err := sql.Open("sqlite", "file:"+escapePath(path)+"?mode=ro&immutable=1&_pragma=trusted_schema(0)")
	if err != nil {
		return 0, Wrap("inspect "+path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var said string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&said); err != nil {
		return 0, Wrap("inspect "+path, err)
	}
	if said != "ok" {
		return 0, plain("inspect " + path + ": the database is damaged: " + said)
	}
	var tables int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = ?1`, meta).Scan(&tables); err != nil || tables == 0 {
		return 0, Wrap("inspect "+path, err)
	}
	var value string
	err = db.QueryRowContext(ctx, fmt.Sprintf(`SELECT value FROM %q WHERE name = 'version'`, meta)).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, Wrap("inspect "+path, err)
	}
	return strconv.Atoi(value)
}
