// Package enginetest has the tests that every engine.Log must pass, so that the engine behaves the
// same on each of them.
package enginetest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// waitLimit is how long to wait for something that must happen.
const waitLimit = 2 * time.Minute

// Place is a store in which all Logs see the same data.
type Place struct {
	// Open opens a Log there. It lasts as long as the test, or until it is closed.
	Open func(t *testing.T) engine.Log
	// Child is a process, not yet started, that opens a Log there and calls Write. nil: the data
	// lasts only as long as the Log, so there can be only one Log.
	Child func(t *testing.T) *exec.Cmd
	// Shared means that several Logs may be open at once.
	Shared bool
}

// Log runs the conformance tests, each in a Place of its own that place makes.
func Log(t *testing.T, place func(t *testing.T) Place) {
	for name, test := range map[string]func(*testing.T, suite){
		"append and load":            appendAndLoad,
		"one of many racers wins":    oneWins,
		"a conflict stores nothing":  conflictStoresNothing,
		"waits":                      waits,
		"versions":                   versions,
		"runs are found":             runsFound,
		"what is published":          published,
		"drafts":                     drafts,
		"tasks come in time":         tasksInTime,
		"tasks come in order":        tasksInOrder,
		"a task goes to one":         taskToOne,
		"held and given back":        held,
		"a stale lease":              staleLease,
		"done and dropped":           doneAndDropped,
		"a task replaces its like":   replaced,
		"lanes":                      lanes,
		"a lane with room wakes":     laneWakes,
		"claims":                     claims,
		"cursors":                    cursors,
		"dead letters":               deadLetters,
		"queues are apart":           queuesApart,
		"next ends with its context": nextEnds,
		"watch from the start":       watchAll,
		"watch one run, from here":   watchOne,
		"watch many writers":         watchWriters,
		"reopened":                   reopened,
		"killed":                     killed,
		"two hosts":                  twoHosts,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
			defer cancel()
			p := place(t)
			test(t, suite{Log: p.Open(t), place: p, ctx: ctx})
		})
	}
}

// suite is a Log with what every test uses.
type suite struct {
	engine.Log
	place Place
	ctx   context.Context
}

func (s suite) append(t *testing.T, b engine.Batch) uint64 {
	t.Helper()
	rev, err := s.Append(s.ctx, b)
	if err != nil {
		t.Fatalf("append to %s: %v", b.Run, err)
	}
	return rev
}

func (s suite) next(t *testing.T, q engine.Queue) engine.Task {
	t.Helper()
	task, err := s.Next(s.ctx, q)
	if err != nil {
		t.Fatalf("next of %s: %v", q, err)
	}
	return task
}

// kindIn is a kind of task that belongs into a queue.
var kindIn = map[engine.Queue]engine.TaskKind{engine.Calls: engine.TaskCall, engine.Timers: engine.TaskRetry, engine.Timeouts: engine.TaskTimeout}

// nothing fails the test if a task is due now. A marker task behind it shows
// that the queue was looked at.
func (s suite) nothing(t *testing.T, q engine.Queue) {
	t.Helper()
	kind := kindIn[q]
	id := "marker" + fmt.Sprint(time.Now().UnixNano())
	s.append(t, engine.Batch{Run: id, State: []byte("{}"), Tasks: []engine.Task{{ID: id, Run: id, Kind: kind, Due: time.Now()}}})
	if got := s.next(t, q); got.ID != id {
		t.Errorf("task %s was handed out", got.ID)
	}
}

func task(runID, id string, kind engine.TaskKind, due time.Time) engine.Task {
	return engine.Task{ID: id, Run: runID, Kind: kind, Visit: 1, Attempt: 1, Due: due}
}

func appendAndLoad(t *testing.T, s suite) {
	if _, err := s.Load(s.ctx, "r"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("load before append: %v, want ErrNotFound", err)
	}
	rev := s.append(t, engine.Batch{Run: "r", State: []byte(`{"a":1}`)})
	if _, err := s.Append(s.ctx, engine.Batch{Run: "r", State: []byte(`{}`)}); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("a second beginning: %v, want ErrConflict", err)
	}
	if _, err := s.Append(s.ctx, engine.Batch{Run: "other", Expect: 7, State: []byte(`{}`)}); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("a revision of a run that is not there: %v, want ErrConflict", err)
	}
	if next := s.append(t, engine.Batch{Run: "r", Expect: rev, State: []byte(`{"a":2}`)}); next == rev {
		t.Error("the revision did not change")
	} else if rec, err := s.Load(s.ctx, "r"); err != nil || string(rec.State) != `{"a":2}` || rec.Revision != next {
		t.Errorf("loaded %s at %d (%v), want a:2 at %d", rec.State, rec.Revision, err, next)
	}
}

func oneWins(t *testing.T, s suite) {
	rev := s.append(t, engine.Batch{Run: "r", State: []byte(`{}`)})
	var wg sync.WaitGroup
	var mu sync.Mutex
	won, lost := 0, 0
	for i := range 32 {
		wg.Go(func() {
			_, err := s.Append(s.ctx, engine.Batch{Run: "r", Expect: rev, State: fmt.Appendf(nil, `{"i":%d}`, i)})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case errors.Is(err, engine.ErrConflict):
				lost++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 || lost != 31 {
		t.Errorf("%d won, %d lost; want 1 and 31", won, lost)
	}
}

func conflictStoresNothing(t *testing.T, s suite) {
	rev := s.append(t, engine.Batch{Run: "r", State: []byte(`{"a":1}`), Tasks: []engine.Task{task("r", "keep", engine.TaskCall, time.Now())}})
	_, err := s.Append(s.ctx, engine.Batch{Run: "r", Expect: rev + 1, State: []byte(`{"a":2}`), Done: []string{"keep"},
		Waits: []engine.Wait{{Correlation: "c", Run: "r", Expires: time.Now().Add(time.Hour)}},
		Tasks: []engine.Task{task("r", "new", engine.TaskCall, time.Now().Add(-time.Hour))},
		Steps: []engine.Step{{Run: "r", Kind: run.TraceRunStarted}}})
	if !errors.Is(err, engine.ErrConflict) {
		t.Fatalf("got %v, want ErrConflict", err)
	}
	if rec, err := s.Load(s.ctx, "r"); err != nil || string(rec.State) != `{"a":1}` {
		t.Errorf("state %s (%v), want a:1", rec.State, err)
	}
	if _, err := s.Wait(s.ctx, "c"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("wait: %v, want ErrNotFound", err)
	}
	if got := s.next(t, engine.Calls); got.ID != "keep" {
		t.Errorf("task %s, want keep", got.ID)
	}
	s.append(t, engine.Batch{Run: "marker", State: []byte(`{}`), Steps: []engine.Step{{Run: "marker", Kind: run.TraceRunFinished}}})
	for st, err := range s.Watch(s.ctx, "", 0) {
		if err != nil || st.Run != "marker" {
			t.Errorf("step %+v (%v), want only that of marker", st, err)
		}
		return
	}
}

func waits(t *testing.T, s suite) {
	if _, err := s.Wait(s.ctx, "r:ask:1"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("before it is armed: %v, want ErrNotFound", err)
	}
	w := engine.Wait{Correlation: "r:ask:1", Run: "r", Node: "ask", Visit: 1, Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second)}
	gone := engine.Wait{Correlation: "r:ask:2", Run: "r", Node: "ask", Visit: 2, Expires: time.Now().Add(-time.Second)}
	rev := s.append(t, engine.Batch{Run: "r", State: []byte(`{}`), Waits: []engine.Wait{w, gone}})
	if got, err := s.Wait(s.ctx, w.Correlation); err != nil || !same(got, w) {
		t.Errorf("got %+v (%v), want %+v", got, err, w)
	}
	if got, err := s.Wait(s.ctx, gone.Correlation); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("expired: got %+v (%v), want ErrNotFound", got, err)
	}
	w.Expires = w.Expires.Add(time.Hour)
	s.append(t, engine.Batch{Run: "r", Expect: rev, State: []byte(`{}`), Waits: []engine.Wait{w}})
	if got, err := s.Wait(s.ctx, w.Correlation); err != nil || !same(got, w) {
		t.Errorf("replaced: got %+v (%v), want %+v", got, err, w)
	}
}

func versions(t *testing.T, s suite) {
	if _, err := s.Flow(s.ctx, "d1"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("before it is kept: %v, want ErrNotFound", err)
	}
	for _, v := range []engine.Version{{Digest: "d1", Flow: "f", Source: []byte("one")}, {Digest: "d2", Flow: "f", Source: []byte("two")}, {Digest: "d1", Flow: "f", Source: []byte("one, with a comment")}} {
		if err := s.PutFlow(s.ctx, v); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := s.Flow(s.ctx, "d1"); err != nil || v.Digest != "d1" || v.Flow != "f" || string(v.Source) != "one, with a comment" {
		t.Errorf("got %+v (%v), want the newest source of d1", v, err)
	}
}

func same(a, b engine.Wait) bool {
	equal := a.Expires.Equal(b.Expires)
	a.Expires, b.Expires = time.Time{}, time.Time{}
	return equal && a == b
}
