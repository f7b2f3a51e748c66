package sqllog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/enginetest"
)

// What a child process is told: where the database is.
const (
	childDir      = "TAPNODE_TEST_SQLLOG_DIR"
	childPostgres = "TAPNODE_TEST_SQLLOG_POSTGRES"
)

func TestMain(m *testing.M) {
	o := Options{Dir: os.Getenv(childDir), Postgres: os.Getenv(childPostgres)}
	if o.Dir == "" && o.Postgres == "" {
		os.Exit(m.Run())
	}
	l, err := Open(context.Background(), o)
	if err == nil {
		err = enginetest.Write(l, os.Stdout)
	}
	fmt.Println(err)
	os.Exit(1)
}

// onEach runs a test on SQLite, and on Postgres if there is a server. place makes a new database.
func onEach(t *testing.T, test func(t *testing.T, place func(t *testing.T) Options)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, func(t *testing.T) Options { return Options{Dir: t.TempDir()} })
	})
	if sqldbtest.Server() != "" {
		t.Run("postgres", func(t *testing.T) {
			test(t, func(t *testing.T) Options { return Options{Postgres: sqldbtest.Postgres(t)} })
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// open is a Log until the end of the test.
func open(t *testing.T, o Options) *Log {
	t.Helper()
	l, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, l.Close()) })
	return l
}

func TestLog(t *testing.T) {
	onEach(t, func(t *testing.T, place func(t *testing.T) Options) {
		enginetest.Log(t, func(t *testing.T) enginetest.Place {
			o := place(t)
			return enginetest.Place{
				Open: func(t *testing.T) engine.Log { return open(t, o) },
				Child: func(t *testing.T) *exec.Cmd {
					exe, err := os.Executable()
					if err != nil {
						t.Fatal(err)
					}
					c := exec.CommandContext(t.Context(), exe)
					c.Env, c.Stderr = append(os.Environ(), childDir+"="+o.Dir, childPostgres+"="+o.Postgres), t.Output()
					return c
				},
				Shared: o.Postgres != "",
			}
		})
	})
}

// A SQLite file has one owner, and other users cannot read it.
func TestOneOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first := open(t, Options{Dir: dir})
	if _, err := Open(t.Context(), Options{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Fatalf("a second owner: %v", err)
	}
	for _, name := range []string{FileName, FileName + "-wal", FileName + "-shm", FileName + ".lock"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	check(t, first.Close())
	open(t, Options{Dir: dir})
}
