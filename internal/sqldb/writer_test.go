package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLoneWriteIsCommittedByItsCaller(t *testing.T) {
	db := openTest(t, Options{Dir: t.TempDir()})
	var stack string
	if err := db.Write(t.Context(), "look", func(*Tx) error { stack = string(debug.Stack()); return nil }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stack, t.Name()) {
		t.Errorf("another goroutine ran it:\n%s", stack)
	}
}

// Writes that arrive during a commit are committed in the order of their arrival, however their
// callers wait for them, and also when the database closes meanwhile.
func TestOrderOfWrites(t *testing.T) {
	for _, closes := range []bool{false, true} {
		db := openTest(t, Options{Dir: t.TempDir()})
		began, goOn, held := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			held <- db.Write(context.Background(), "hold", func(*Tx) error { close(began); <-goOn; return nil })
		}()
		<-began
		var order []int
		nth := func(n int) func(*Tx) error {
			return func(*Tx) error { order = append(order, n); return nil }
		}
		waits := []func() error{db.Begin(t.Context(), "first", nth(1))}
		followed := make(chan error, 1)
		if err := errors.Join(db.Hand(t.Context(), "second", nth(2)), db.Follow(t.Context(), "third", nth(3), func(err error) { followed <- err })); err != nil {
			t.Fatal(err)
		}
		waits = append(waits, db.BeginSynced(t.Context(), "fourth", nth(4)))
		closed := make(chan error, 1)
		if closes {
			go func() { closed <- db.Close() }()
			<-db.writer.quit // from here on no write is accepted
			if err := note(t.Context(), db, "late", 1); !errors.Is(err, ErrClosed) {
				t.Errorf("a write after the close: %v", err)
			}
		} else {
			closed <- nil
		}
		close(goOn)
		if err := errors.Join(<-held, waits[0](), waits[1](), <-followed, <-closed); err != nil {
			t.Error(err)
		}
		if !slices.Equal(order, []int{1, 2, 3, 4}) {
			t.Errorf("the order is %v", order)
		}
	}
}

// A connection that is lost in a transaction gives up the right to write.
func TestLostConnectionWritesNoMore(t *testing.T) {
	db := openTest(t, Options{Dir: t.TempDir()})
	c, err := db.SQL().Conn(t.Context())
	if err == nil {
		_, err = db.transaction(t.Context(), c, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(err, driver.ErrBadConn) {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(t.Context(), "SELECT 1"); !errors.Is(err, sql.ErrConnDone) {
		t.Fatalf("the connection is still there: %v", err)
	}
	if err := note(t.Context(), db, "a", 1); err != nil {
		t.Errorf("the next write: %v", err)
	}
}
