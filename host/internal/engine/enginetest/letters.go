package enginetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// cursors are stored with the changes that their events led to, or alone, and the last one stored
// counts.
func cursors(t *testing.T, s suite) {
	cursor := func(subscription, want string) {
		t.Helper()
		if got, err := s.Cursor(s.ctx, subscription); err != nil || string(got) != want || (got == nil) != (want == "") {
			t.Errorf("the cursor of %s is %q (%v), want %q", subscription, got, err, want)
		}
	}
	cursor("a", "")
	rev := s.append(t, engine.Batch{Run: "r", State: []byte(`1`), Cursor: engine.Cursor{Subscription: "a", Value: []byte("1")}})
	if err := s.PutCursor(s.ctx, engine.Cursor{Subscription: "b", Value: []byte("2")}); err != nil {
		t.Fatal(err)
	}
	cursor("a", "1")
	cursor("b", "2")
	if _, err := s.Append(s.ctx, engine.Batch{Run: "r", State: []byte(`2`), Cursor: engine.Cursor{Subscription: "a", Value: []byte("3")}}); !errors.Is(err, engine.ErrConflict) {
		t.Fatalf("got %v, want ErrConflict", err)
	}
	cursor("a", "1")
	s.append(t, engine.Batch{Run: "r", Expect: rev, State: []byte(`2`), Cursor: engine.Cursor{Subscription: "a", Value: []byte("4")}})
	if err := s.DropCursor(s.ctx, "b"); err != nil {
		t.Fatal(err)
	}
	cursor("b", "")
	if s.place.Child != nil {
		s = s.reopen(t)
	}
	cursor("a", "4")
}

// deadLetters are listed newest first, page by page, replaced, dropped and bounded.
func deadLetters(t *testing.T, s suite) {
	letter := func(i int) engine.DeadLetter {
		return engine.DeadLetter{ID: fmt.Sprint("d", i), Time: time.Unix(int64(1e9+i), 0).UTC(), Code: "full", Message: "no room", Run: "r", Flow: "f",
			Event: engine.Event{ID: fmt.Sprint("e", i), Type: "t", Data: []byte(`{"n":1}`), Correlation: "c", For: "f/t", Time: time.Unix(1, 0).UTC()}}
	}
	bury := func(l engine.DeadLetter) {
		t.Helper()
		if err := s.Bury(s.ctx, l); err != nil {
			t.Fatal(err)
		}
	}
	list := func(after string, limit int, want string) {
		t.Helper()
		letters, err := s.DeadLetters(s.ctx, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		ids := ""
		for _, l := range letters {
			ids += l.ID + " "
		}
		if ids != want {
			t.Errorf("after %q: %s, want %s", after, ids, want)
		}
	}
	list("", 10, "")
	for i := range 4 {
		bury(letter(i))
	}
	list("", 10, "d3 d2 d1 d0 ")
	list("", 2, "d3 d2 ")
	list("d2", 2, "d1 d0 ")
	again := letter(1)
	again.Message = "still no room"
	bury(again)
	list("", 10, "d1 d3 d2 d0 ")
	if got, err := s.DeadLetter(s.ctx, "d1"); err != nil || !reflect.DeepEqual(got, again) {
		t.Errorf("%+v (%v), want %+v", got, err, again)
	}
	if err := s.DropDeadLetter(s.ctx, "d3"); err != nil {
		t.Fatal(err)
	}
	if err := s.DropDeadLetter(s.ctx, "d3"); err != nil {
		t.Errorf("dropped twice: %v", err)
	}
	for _, err := range []error{second(s.DeadLetter(s.ctx, "d3")), second(s.DeadLetters(s.ctx, "d3", 1))} {
		if !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
	}
	list("", 10, "d1 d2 d0 ")
}

func second[T any](_ T, err error) error { return err }
