package enginetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// lanes: a lane hands out a limited number of tasks, in the order they are due, and holds up no
// other lane.
func lanes(t *testing.T, s suite) {
	now := time.Now().Add(-time.Minute)
	b := engine.Batch{Run: "r", State: []byte(`{}`)}
	for i := range engine.LaneWidth + 2 {
		k := task("r", fmt.Sprintf("busy%02d", i), engine.TaskCall, now.Add(time.Duration(i)*time.Millisecond))
		k.Lane = "busy"
		b.Tasks = append(b.Tasks, k)
	}
	quiet := task("r", "quiet", engine.TaskCall, now.Add(time.Second))
	quiet.Lane = "quiet"
	b.Tasks = append(b.Tasks, quiet)
	rev := s.append(t, b)
	var out []engine.Task
	for i := range engine.LaneWidth {
		got := s.next(t, engine.Calls)
		if got.ID != fmt.Sprintf("busy%02d", i) || got.Lane != "busy" {
			t.Fatalf("%d: %+v", i, got)
		}
		out = append(out, got)
	}
	if got := s.next(t, engine.Calls); got.ID != "quiet" {
		t.Fatalf("behind a full lane: %+v", got)
	}
	s.nothing(t, engine.Calls)

	// Each way of giving a place back makes room for one task: an outcome, a drop, and giving the
	// task back.
	want := engine.LaneWidth
	s.append(t, engine.Batch{Run: "r", Expect: rev, State: []byte(`{}`), Ends: out[0]})
	if got := s.next(t, engine.Calls); got.ID != fmt.Sprintf("busy%02d", want) {
		t.Fatalf("after an outcome: %+v", got)
	}
	if err := s.Drop(s.ctx, out[1]); err != nil {
		t.Fatal(err)
	}
	if got := s.next(t, engine.Calls); got.ID != fmt.Sprintf("busy%02d", want+1) {
		t.Fatalf("after a drop: %+v", got)
	}
	s.hold(t, out[2], 0)
	if got := s.next(t, engine.Calls); got.ID != out[2].ID {
		t.Fatalf("after one was given back: %+v", got)
	}
	s.nothing(t, engine.Calls)
}

// laneWakes: a worker that waits for a task gets one when its lane has room again.
func laneWakes(t *testing.T, s suite) {
	b := engine.Batch{Run: "r", State: []byte(`{}`)}
	for i := range engine.LaneWidth + 1 {
		k := task("r", fmt.Sprint("t", i), engine.TaskCall, time.Now())
		k.Lane = "busy"
		b.Tasks = append(b.Tasks, k)
	}
	rev := s.append(t, b)
	var last engine.Task
	for range engine.LaneWidth {
		last = s.next(t, engine.Calls)
	}
	got := make(chan engine.Task)
	go func() {
		next, err := s.Next(s.ctx, engine.Calls)
		if err != nil {
			t.Error(err)
		}
		got <- next
	}()
	s.append(t, engine.Batch{Run: "r", Expect: rev, State: []byte(`{}`), Ends: last})
	if next := <-got; next.Lane != "busy" || next.ID == last.ID {
		t.Errorf("got %+v", next)
	}
}
