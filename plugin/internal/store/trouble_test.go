package store

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
)

func openTest(t *testing.T, opt Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// pragma sets something on the writing connection.
func pragma(t *testing.T, s *Store, p string) {
	t.Helper()
	if _, err := s.writer.conn.ExecContext(t.Context(), "PRAGMA "+p); err != nil {
		t.Fatal(err)
	}
}

func TestFullDiskLeavesNothingHalfDone(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir()})
	pragma(t, s, "max_page_count=120")
	claim, err := s.Begin(t.Context(), "op", "k", "shop", "f")
	if err != nil {
		t.Fatal(err)
	}
	big := Plan{Message: make([]byte, 1<<20), Menu: &Menu{}}
	if err := s.Intend(t.Context(), claim, big); !errors.Is(err, ErrDiskFull) {
		t.Fatalf("intend: %v, want a full disk", err)
	}
	if _, err := s.Lookup(t.Context(), "op", "k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the intent: %v, want nothing", err)
	}
	pragma(t, s, "max_page_count=100000")
	if err := s.Intend(t.Context(), claim, big); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestLockedByAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, Options{Dir: dir})
	pragma(t, s, "busy_timeout=20")
	other, err := sql.Open("sqlite", "file:"+filepath.Join(dir, fileName)+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateInstance(t.Context(), "shop"); !errors.Is(err, ErrBusy) {
		t.Errorf("while locked: %v, want busy", err)
	}
	if _, err := s.Instances(t.Context()); err != nil {
		t.Errorf("reading while locked: %v", err)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateInstance(t.Context(), "shop"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// One write that fails in a batch does not take the others with it.
func TestBatchIsolatesItsWrites(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir()})
	hold := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.write(context.Background(), "hold", func(*tx) error { <-hold; return nil }) })
	errs := make([]error, 20)
	for i := range errs {
		wg.Go(func() { _, errs[i] = s.CreateInstance(context.Background(), fmt.Sprint("shop-", i/2)) })
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
	if created != 10 {
		t.Errorf("%d instances were created, want 10", created)
	}
}

func TestCancelledWriteLeavesNothing(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.CreateInstance(ctx, "shop"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want cancelled", err)
	}
	if all, err := s.Instances(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("instances %v, %v", all, err)
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
	s := openTest(t, Options{Dir: newer})
	if err := s.write(t.Context(), "age", func(t *tx) error {
		_, err := t.exec(`UPDATE tapnode_meta SET value = '99' WHERE name = 'version'`)
		return err
	}); err != nil {
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
		s, err := Open(t.Context(), tc.opt)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: opened", name)
		} else if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// A connection whose transaction cannot be ended is not used again: what is
// written on it would never be committed.
func TestBrokenConnectionIsGivenUp(t *testing.T) {
	s := openTest(t, Options{Dir: t.TempDir()})
	err := s.write(t.Context(), "break", func(t *tx) error {
		if _, err := t.exec("ROLLBACK"); err != nil { // as SQLite does by itself
			return err
		}
		return errors.New("full")
	})
	if err == nil {
		t.Fatal("the write passed")
	}
	if _, err := s.CreateInstance(t.Context(), "shop"); err != nil {
		t.Errorf("the next write: %v", err)
	}
	if _, err := s.Instance(t.Context(), "shop"); err != nil {
		t.Errorf("reading it back: %v", err)
	}
}
