package sqldb

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// Close waits until no connection is in use: until then its owner must not remove the file.
func TestCloseWaitsForTheLast(t *testing.T) {
	db := openTest(t, Options{Dir: t.TempDir()})
	tx, err := db.SQL().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var ending atomic.Bool
	ended := make(chan error, 1)
	time.AfterFunc(50*time.Millisecond, func() {
		ending.Store(true)
		ended <- tx.Commit()
	})
	if err := db.Close(); err != nil || !ending.Load() {
		t.Errorf("closed (%v) in the middle of a transaction", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A connection that was requested before the close and is opened after it does not create the file
// again.
func TestNoConnectionAfterClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), fileName)
	lite, err := sqlite.NewConnector(dsn(path, false))
	if err != nil {
		t.Fatal(err)
	}
	c := newConnector(lite, false, &ahead{})
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Connect(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("a connection after the close: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
}

// A read of a closed database returns this package's error.
func TestReadAfterClose(t *testing.T) {
	for name, options := range map[string]func(t *testing.T) Options{
		"sqlite":   func(t *testing.T) Options { return Options{Dir: t.TempDir()} },
		"postgres": func(t *testing.T) Options { return Options{Postgres: sqldbtest.Postgres(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			db := openTest(t, options(t))
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			n := 0
			_, err := All(t.Context(), db, func(s Scanner) (int, error) { return n, s.Scan(&n) }, `SELECT 1`)
			for what, err := range map[string]error{"one row": db.Row(t.Context(), `SELECT 1`, nil, &n), "rows": err} {
				if !errors.Is(err, ErrClosed) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}
