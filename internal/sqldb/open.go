package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
)

const (
	// lockWait is how long a write waits for its turn before ErrBusy.
	lockWait = 10 * time.Second
	// readers is how many connections read, or wait for their turn to write.
	readers = 16
)

func openSQLite(ctx context.Context, opt Options, a *ahead) (*sql.DB, string, error) {
	if opt.Dir == "" {
		return nil, "", plain("open the database: Options.Dir is empty: name a directory of its own")
	}
	path, err := privateFile(opt.Dir, opt.File)
	if err != nil {
		return nil, "", Wrap("open the database", err)
	}
	plain, err := sqlite.NewConnector(dsn(path, opt.Relaxed))
	if err != nil {
		return nil, "", Wrap("open the database", err)
	}
	db := sql.OpenDB(newConnector(plain, opt.Relaxed, a))
	db.SetMaxOpenConns(readers + 1) // and the writer
	db.SetMaxIdleConns(readers + 1)
	if err := db.PingContext(ctx); err != nil {
		return nil, "", errors.Join(Wrap("open "+path, err), db.Close())
	}
	return db, "sqlite3", nil
}

// dsn sets the options that whatsmeow and this package need on every connection. _txlock=immediate
// takes the write lock when a transaction begins: a transaction that first reads and then writes
// cannot be upgraded while another one writes, and whatsmeow would lose the incoming message.
func dsn(path string, relaxed bool) string {
	sync := "FULL"
	if relaxed {
		sync = "NORMAL"
	}
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", lockWait.Milliseconds()),
		"journal_mode(WAL)", "foreign_keys(1)", "synchronous(" + sync + ")",
		"journal_size_limit(67108864)", "trusted_schema(0)",
	}}
	return "file:" + escapePath(path) + "?" + q.Encode()
}

// escapePath escapes the characters of a path that have a meaning in a URI.
func escapePath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// privateFile creates dir (0700) and the database file in it (0600), because SQLite would create
// the file with the umask's mode; -wal and -shm inherit the file's mode.
func privateFile(dir, name string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	if err := touch(path); err != nil {
		return "", err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Chmod(path+suffix, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return path, nil
}

// touch creates a file, if there is none, that only its owner may read.
func touch(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}
