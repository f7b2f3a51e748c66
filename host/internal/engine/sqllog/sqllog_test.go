package sqllog

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

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

// onEach runs a test on SQLite, and on Postgres when TAPNODE_TEST_POSTGRES names a server
// whose user may create databases. place makes a new database.
func onEach(t *testing.T, test func(t *testing.T, place func(t *testing.T) Options)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, func(t *testing.T) Options { return Options{Dir: t.TempDir()} })
	})
	if dsn := os.Getenv("TAPNODE_TEST_POSTGRES"); dsn != "" {
		t.Run("postgres", func(t *testing.T) {
			test(t, func(t *testing.T) Options { return Options{Postgres: databaseFor(t, dsn)} })
		})
	}
}

// databaseFor makes a database of a test's own on the server.
func databaseFor(t *testing.T, dsn string) string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("tapnode_%d", time.Now().UnixNano())
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		check(t, err)
		check(t, conn.Close(ctx))
	})
	c := conn.Config()
	u := url.URL{Scheme: "postgres", User: url.UserPassword(c.User, c.Password), Path: "/" + name, RawQuery: url.Values{
		"host": {c.Host}, "port": {fmt.Sprint(c.Port)}, "sslmode": {"prefer"},
	}.Encode()}
	return u.String()
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

// A SQLite file has one owner, and is nobody else's to read.
func TestOneOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first := open(t, Options{Dir: dir})
	if _, err := Open(t.Context(), Options{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Fatalf("a second owner: %v", err)
	}
	for _, name := range []string{fileName, fileName + "-wal", fileName + "-shm", fileName + ".lock"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	check(t, first.Close())
	open(t, Options{Dir: dir})
}
