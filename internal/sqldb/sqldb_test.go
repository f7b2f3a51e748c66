package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

const fileName = "test.db"

// notes is a schema of one table.
var notes = Schema{Meta: "meta", Files: fstest.MapFS{
	"001.sql": {Data: []byte("CREATE TABLE notes (id TEXT PRIMARY KEY, body BYTEA);\n")},
}}

func openTest(t *testing.T, opt Options) *DB {
	t.Helper()
	opt.File = fileName
	db, err := Open(t.Context(), opt)
	if err == nil {
		t.Cleanup(func() { _ = db.Close() })
		err = db.Migrate(t.Context(), notes, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// note stores one note; a second one with the same id is ErrExists.
func note(ctx context.Context, db *DB, id string, size int) error {
	return db.Write(ctx, "store the note", func(t *Tx) error {
		n, err := t.Exec(`INSERT INTO notes (id, body) VALUES ($1, $2) ON CONFLICT DO NOTHING`, id, make([]byte, size))
		if err == nil && n == 0 {
			err = ErrExists
		}
		return err
	})
}

func count(t *testing.T, db *DB) (n int) {
	t.Helper()
	if err := db.Row(t.Context(), `SELECT count(*) FROM notes`, nil, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// pragma runs a PRAGMA on the writing connection.
func pragma(t *testing.T, db *DB, p string) {
	t.Helper()
	if _, err := db.writer.conn.ExecContext(t.Context(), "PRAGMA "+p); err != nil {
		t.Fatal(err)
	}
}

func TestFullDiskLeavesNothingHalfDone(t *testing.T) {
	db := openTest(t, Options{Dir: t.TempDir()})
	pragma(t, db, "max_page_count=40")
	if err := note(t.Context(), db, "a", 1<<20); !errors.Is(err, ErrDiskFull) {
		t.Fatalf("%v, want a full disk", err)
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d notes, want none", n)
	}
	pragma(t, db, "max_page_count=100000")
	if err := note(t.Context(), db, "a", 1<<20); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestLockedByAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	db := openTest(t, Options{Dir: dir})
	pragma(t, db, "busy_timeout=20")
	other, err := sql.Open("sqlite", "file:"+filepath.Join(dir, fileName)+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := note(t.Context(), db, "a", 1); !errors.Is(err, ErrBusy) {
		t.Errorf("while locked: %v, want busy", err)
	}
	if n := count(t, db); n != 0 {
		t.Errorf("reading while locked: %d notes", n)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := note(t.Context(), db, "a", 1); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// One write that fails in a batch does not make the others fail.
func TestBatchIsolatesItsWrites(t *testing.T) {
	db := openTest(t, Options{Dir: t.TempDir()})
	hold := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { _ = db.Write(context.Background(), "hold", func(*Tx) error { <-hold; return nil }) })
	errs := make([]error, 20)
	for i := range errs {
		wg.Go(func() { errs[i] = note(context.Background(), db, fmt.Sprint("note-", i/2), 1) })
	}
	close(hold)
	wg.Wait()
	created := 0
	for _, err := range errs {
		if err == nil {
			created++
		} else if !errors.Is(err, ErrExists) {
			t.Error(err)
		}
	}
	if created != 10 || count(t, db) != 10 {
		t.Errorf("%d writes passed and %d notes are there, want 10", created, count(t, db))
	}
}

func TestCancelledWriteLeavesNothing(t *testing.T) {
	db := openTest(t, Options{Dir: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := note(ctx, db, "a", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want cancelled", err)
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d notes", n)
	}
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state #1?")
	openTest(t, Options{Dir: dir})
	want := map[string]fs.FileMode{".": 0o700 | fs.ModeDir, fileName: 0o600, fileName + "-wal": 0o600, fileName + "-shm": 0o600, "schema.lock": 0o600}
	for name, mode := range want {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), mode)
		}
	}
}

func TestOpenExplainsWhatIsWrong(t *testing.T) {
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, fileName), []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := t.TempDir()
	db := openTest(t, Options{Dir: newer})
	if err := db.Write(t.Context(), "age", func(t *Tx) error { return t.PutMeta("version", "99") }); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		opt  Options
		want string
	}{
		"no directory":    {Options{}, "Options.Dir is empty"},
		"not a database":  {Options{Dir: broken}, "not a database"},
		"a newer schema":  {Options{Dir: newer}, "use the newer program"},
		"a broken DSN":    {Options{Postgres: "postgres://user:secret@%zz"}, "connection string"},
		"a file as a dir": {Options{Dir: filepath.Join(broken, fileName)}, "not a directory"},
	} {
		tc.opt.File = fileName
		db, err := Open(t.Context(), tc.opt)
		if err == nil {
			err = errors.Join(db.Migrate(t.Context(), notes, nil), db.Close())
		}
		if err == nil {
			t.Errorf("%s: opened", name)
		} else if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// A connection whose transaction cannot be ended is not used again: a write on it would never be
// committed.
func TestBrokenConnectionIsGivenUp(t *testing.T) {
	db := openTest(t, Options{Dir: t.TempDir()})
	err := db.Write(t.Context(), "break", func(t *Tx) error {
		if _, err := t.Exec("ROLLBACK"); err != nil { // as SQLite does by itself
			return err
		}
		return errors.New("full")
	})
	if err == nil {
		t.Fatal("the write passed")
	}
	if err := note(t.Context(), db, "a", 1); err != nil {
		t.Errorf("the next write: %v", err)
	}
	if n := count(t, db); n != 1 {
		t.Errorf("reading it back: %d notes", n)
	}
}

// Whether a commit is synced cannot be observed without a power cut, so this asks the connection
// that is about to commit for its PRAGMA synchronous: 2 is FULL, 1 is NORMAL.
func TestSynchronous(t *testing.T) {
	ctx := t.Context()
	db := openTest(t, Options{Dir: t.TempDir()})
	in := func(ctx context.Context) (n int) {
		t.Helper()
		transaction, err := db.SQL().BeginTx(ctx, nil)
		if err == nil {
			err = errors.Join(transaction.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&n), transaction.Commit())
		}
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	by := func(write func(context.Context, string, func(*Tx) error) error) (n int) {
		t.Helper()
		if err := write(ctx, "ask", func(t *Tx) error { return t.Row("PRAGMA synchronous", nil, &n) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 2 { // the second time the connections are in the other mode
		if full, normal := in(ctx), in(Unsynced(ctx)); full != 2 || normal != 1 {
			t.Errorf("transactions are begun with %d and, unsynced, %d", full, normal)
		}
		if full, normal := by(db.Write), by(db.WriteUnsynced); full != 2 || normal != 1 {
			t.Errorf("the writer writes with %d and, unsynced, %d", full, normal)
		}
	}
	commit := db.Committed()
	if db.OnDisk(commit) {
		t.Error("an unsynced commit counts as on disk")
	}
	by(db.WriteUnsynced)
	if db.OnDisk(commit) {
		t.Error("another unsynced commit took it to the disk")
	}
	if by(db.Write); !db.OnDisk(commit) {
		t.Error("a synced write did not take it to the disk")
	}
}
