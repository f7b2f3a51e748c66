package answers

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// onBoth runs a test on SQLite and on Postgres.
func onBoth(t *testing.T, test func(t *testing.T, db *sqldb.DB)) {
	open := func(t *testing.T, o sqllog.Options) *sqldb.DB {
		log, err := sqllog.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := log.Close(); err != nil {
				t.Error(err)
			}
		})
		return log.DB()
	}
	t.Run("sqlite", func(t *testing.T) { test(t, open(t, sqllog.Options{Dir: t.TempDir()})) })
	t.Run("postgres", func(t *testing.T) { test(t, open(t, sqllog.Options{Postgres: sqldbtest.Postgres(t)})) })
}

func TestAKeyActsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		c := &clock{time.Now()}
		s := New(db, c.now, slog.Default())
		begin := func(owner, request string, want error) *Answer {
			t.Helper()
			a, err := s.Begin(t.Context(), owner, "k", request)
			if !errors.Is(err, want) {
				t.Fatalf("begin of %s: %v, want %v", owner, err, want)
			}
			return a
		}
		if a := begin("ann", "x", nil); a != nil {
			t.Fatalf("the first is answered %+v", a)
		}
		begin("ann", "x", ErrRunning)
		begin("ann", "y", ErrOther)
		begin("bob", "y", nil) // the key is another one
		if err := s.End(t.Context(), "ann", "k", &Answer{Status: 201, Type: "application/json", Location: "/v1/x", Body: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
		if a := begin("ann", "x", nil); a == nil || a.Status != 201 || a.Location != "/v1/x" || string(a.Body) != "{}" || a.Cut {
			t.Errorf("the repeat is answered %+v", a)
		}
		begin("ann", "y", ErrOther)
		if err := s.End(t.Context(), "bob", "k", nil); err != nil { // nothing has happened
			t.Fatal(err)
		}
		if a := begin("bob", "z", nil); a != nil {
			t.Errorf("a key that was given back is answered %+v", a)
		}
		c.at = c.at.Add(actTime) // the host of bob's died
		begin("bob", "z", ErrLost)
		c.at = c.at.Add(Keep)
		if a := begin("ann", "y", nil); a != nil {
			t.Errorf("an old key is answered %+v", a)
		}
		c.at = c.at.Add(Keep + time.Second)
		if err := s.sweeper.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := db.Row(t.Context(), `SELECT count(*) FROM engine_answers`, nil, &left); err != nil || left != 0 {
			t.Errorf("%d are left, %v", left, err)
		}
	})
}

func TestOfManyAtOnceOneActs(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		s := New(db, nil, slog.Default())
		var wg sync.WaitGroup
		acted := make(chan string, 20)
		for i := range 20 {
			wg.Go(func() {
				a, err := s.Begin(t.Context(), "ann", "k", "x")
				switch {
				case err == nil && a == nil:
					acted <- fmt.Sprint(i)
				case !errors.Is(err, ErrRunning):
					t.Error(a, err)
				}
			})
		}
		wg.Wait()
		if len(acted) != 1 {
			t.Errorf("%d acted", len(acted))
		}
	})
}

func TestLargeAnswersAreNotKept(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		s := New(db, nil, slog.Default())
		if _, err := s.Begin(t.Context(), "ann", "k", "x"); err != nil {
			t.Fatal(err)
		}
		if err := s.End(t.Context(), "ann", "k", &Answer{Status: 200, Body: make([]byte, MaxBody+1)}); err != nil {
			t.Fatal(err)
		}
		if a, err := s.Begin(t.Context(), "ann", "k", "x"); err != nil || a == nil || !a.Cut || len(a.Body) != 0 {
			t.Errorf("got %+v, %v", a, err)
		}
	})
}

func TestAnOwnerHasItsShare(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		s := New(db, nil, slog.Default())
		err := db.Write(t.Context(), "fill", func(tx *sqldb.Tx) error {
			for i := range maxOwned {
				if _, err := tx.Exec(`INSERT INTO engine_answers (owner, key, request, begun_at, status, type, location, body, cut)
					VALUES ('ann', $1, 'x', $3, 200, '', '', $2, 0)`, fmt.Sprint(i), []byte("x"), sqldb.Millis(time.Now())); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Begin(t.Context(), "ann", "one more", "x"); !errors.Is(err, ErrTooMany) {
			t.Errorf("one more: %v", err)
		}
		if a, err := s.Begin(t.Context(), "ann", "7", "x"); err != nil || a == nil {
			t.Errorf("one that is there: %+v, %v", a, err)
		}
		if _, err := s.Begin(t.Context(), "bob", "one", "x"); err != nil {
			t.Errorf("of somebody else: %v", err)
		}
	})
}
