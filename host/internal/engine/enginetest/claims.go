package enginetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// claims: runs that ask to be alone with a claim begin one at a time, queued runs begin in order,
// and runs that do not ask begin at once.
func claims(t *testing.T, s suite) {
	begin := func(id string, turn engine.Turn) error {
		_, err := s.Append(s.ctx, engine.Batch{Run: id, State: []byte("{}"), Claim: "ana", Turn: turn})
		return err
	}
	claimedBy := func(err error, id string) {
		t.Helper()
		var claimed *engine.ClaimedError
		if !errors.As(err, &claimed) || claimed.Run != id {
			t.Fatalf("got %v, want that %s is in the way", err, id)
		}
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	over := func(id string, expect uint64) {
		t.Helper()
		s.append(t, engine.Batch{Run: id, Expect: expect, State: []byte("{}"), Over: true})
	}
	if err := begin("a", engine.TurnQueued); !errors.Is(err, engine.ErrFree) {
		t.Fatalf("queued behind nobody: %v", err)
	}
	ok(begin("a", engine.TurnAlone))
	claimedBy(begin("b", engine.TurnAlone), "a")
	ok(begin("b", engine.TurnQueued))
	ok(begin("c", engine.TurnQueued))
	ok(begin("d", engine.TurnQueued))
	_, err := s.Append(s.ctx, engine.Batch{Run: "other", State: []byte("{}"), Claim: "bea", Turn: engine.TurnAlone})
	ok(err)
	s.nothing(t, engine.Timers)

	over("a", 1)
	task := s.next(t, engine.Timers)
	if task.Run != "b" || task.Kind != engine.TaskStart {
		t.Fatalf("after a: %+v", task)
	}
	var claimed *engine.ClaimedError
	if err := begin("e", engine.TurnAlone); !errors.As(err, &claimed) { // those that are queued go first
		t.Fatalf("a new one passes those that are queued: %v", err)
	}
	s.append(t, engine.Batch{Run: "b", Expect: 1, State: []byte("{}"), Ends: task, Turn: engine.TurnAlone})
	s.nothing(t, engine.Timers)
	over("c", 1) // cancelled while it was queued
	s.nothing(t, engine.Timers)
	ok(begin("shared", engine.TurnShared))
	over("b", 2)
	s.nothing(t, engine.Timers) // one is left
	over("shared", 1)
	if task = s.next(t, engine.Timers); task.Run != "d" {
		t.Fatalf("after b and c: %+v", task)
	}
	s.append(t, engine.Batch{Run: "d", Expect: 1, State: []byte("{}"), Over: true, Ends: task}) // cancelled with its turn
	ok(begin("f", engine.TurnAlone))

	for i := range engine.MaxQueued {
		ok(begin(fmt.Sprint("q", i), engine.TurnQueued))
	}
	if err := begin("over", engine.TurnQueued); !errors.Is(err, engine.ErrFull) {
		t.Fatalf("over the limit: %v", err)
	}
	if s.place.Child != nil {
		s = s.reopen(t)
	}
	s.append(t, engine.Batch{Run: "f", Expect: 1, State: []byte("{}"), Over: true})
	for task = s.next(t, engine.Timers); task.Kind != engine.TaskStart; { // skips markers whose leases have ended
		task = s.next(t, engine.Timers)
	}
	if task.Run != "q0" {
		t.Fatalf("first of many: %+v", task)
	}
}
