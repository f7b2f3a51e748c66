package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
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

// onEach runs a test on SQLite, and on Postgres if there is a server. open
// opens the same database again.
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

// onOptions is onEach for a test that opens the store itself. It runs in parallel with others,
// because it waits more than it computes.
func onOptions(t *testing.T, opt store.Options, test func(t *testing.T, opt store.Options)) {
	t.Helper()
	t.Parallel()
	lite := opt
	lite.Dir = t.TempDir()
	t.Run("sqlite", func(t *testing.T) { test(t, lite) })
	if sqldbtest.Server() != "" {
		pg := opt
		pg.Postgres = sqldbtest.Postgres(t)
		t.Run("postgres", func(t *testing.T) { test(t, pg) })
	}
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

// appended is the result of storing an event.
type appended struct {
	Duplicate bool
	Click     menus.Count // of appendClick; zero without a menu
}

func appendEvent(ctx context.Context, s *store.Store, e outbox.Event) (appended, error) {
	fresh, err := s.Outbox.Append(ctx, e, nil)
	return appended{Duplicate: err == nil && !fresh}, err
}

// appendClick stores a click.
func appendClick(ctx context.Context, s *store.Store, e outbox.Event, p menus.Press, data func(menus.Count) ([]byte, error)) (appended, error) {
	a, wait := beginClick(ctx, s, nil, e, p, data)
	err := wait()
	return *a, err
}

// beginClick begins to store a click together with its decryption, as package receive does.
func beginClick(ctx context.Context, s *store.Store, from *session.Decryption, e outbox.Event, p menus.Press, data func(menus.Count) ([]byte, error)) (*appended, func() error) {
	var a appended
	return &a, beginEvent(ctx, s, from, e, func(t *sqldb.Tx, e outbox.Event, insert func(outbox.Event) error) error {
		return p.Count(t, e.Instance, e.Time, func(count menus.Count) (err error) {
			if a.Click = count; count.Refused != "" {
				e.Correlation = ""
			}
			if e.Data, err = data(count); err != nil {
				return err
			}
			return insert(e)
		})
	}, &a.Duplicate)
}

// beginEvent begins to store an event together with its decryption. duplicate is set when wait
// returns.
func beginEvent(ctx context.Context, s *store.Store, from *session.Decryption, e outbox.Event, with outbox.With, duplicate *bool) (wait func() error) {
	return from.Begin(func(along func(*sqldb.Tx) error) func() error {
		wait := s.Outbox.Begin(ctx, e, along, with)
		return func() error {
			fresh, err := wait()
			*duplicate = err == nil && !fresh
			return err
		}
	})
}

// rows counts the rows of every table in the database, whatsmeow's included.
func rows(t *testing.T, s *store.Store) map[string]int {
	t.Helper()
	query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	if s.DB.Dialect() == "postgres" {
		query = `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`
	}
	tables := must[[]string](t)(sqldb.All(t.Context(), s.DB, func(row sqldb.Scanner) (name string, err error) {
		err = row.Scan(&name)
		return name, err
	}, query))
	counts := make(map[string]int, len(tables))
	for _, table := range tables {
		var n int
		check(t, s.DB.Row(t.Context(), `SELECT count(*) FROM `+table, nil, &n))
		counts[table] = n
	}
	return counts
}

func TestProcessesMayStartAtOnce(t *testing.T) {
	onOptions(t, store.Options{}, func(t *testing.T, opt store.Options) {
		stores := make([]*store.Store, 4)
		var wg sync.WaitGroup
		for i := range stores {
			wg.Go(func() {
				var err error
				if stores[i], err = store.Open(t.Context(), opt); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, s := range stores {
			if s != nil {
				check(t, s.Close())
			}
		}
	})
}

// completed is what package receive does with an event that needs nothing but what do says of it.
func completed(do func() error) outbox.With {
	return func(_ *sqldb.Tx, e outbox.Event, insert func(outbox.Event) error) error {
		if err := do(); err != nil {
			return err
		}
		return insert(e)
	}
}
