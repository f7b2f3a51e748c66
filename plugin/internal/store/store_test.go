package store_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tapnode/tapnode/plugin/internal/store"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// onEach runs a test on SQLite, and on Postgres when TAPNODE_TEST_POSTGRES names
// a server whose user may create schemas. open opens the same database again.
func onEach(t *testing.T, opt store.Options, test func(t *testing.T, open func() *store.Store)) {
	t.Helper()
	onOptions(t, opt, func(t *testing.T, opt store.Options) {
		test(t, func() *store.Store {
			s, err := store.Open(t.Context(), opt)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { check(t, s.Close()) })
			return s
		})
	})
}

// onOptions is onEach for a test that opens the store itself.
func onOptions(t *testing.T, opt store.Options, test func(t *testing.T, opt store.Options)) {
	t.Helper()
	lite := opt
	lite.Dir = t.TempDir()
	t.Run("sqlite", func(t *testing.T) { test(t, lite) })
	if dsn := os.Getenv("TAPNODE_TEST_POSTGRES"); dsn != "" {
		pg := opt
		pg.Postgres = schemaFor(t, dsn)
		t.Run("postgres", func(t *testing.T) { test(t, pg) })
	}
}

// schemaFor gives a test a schema of its own on the server.
func schemaFor(t *testing.T, dsn string) string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("tapnode_%d", time.Now().UnixNano())
	if _, err := conn.Exec(ctx, "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := conn.Exec(ctx, "DROP SCHEMA "+name+" CASCADE")
		check(t, err)
		check(t, conn.Close(ctx))
	})
	switch {
	case !strings.Contains(dsn, "://"):
		return dsn + " search_path=" + name
	case strings.Contains(dsn, "?"):
		return dsn + "&search_path=" + name
	}
	return dsn + "?search_path=" + name
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
