package enginetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
)

func tasksInTime(t *testing.T, s suite) {
	now := time.Now()
	soon := now.Add(50 * time.Millisecond)
	s.append(t, engine.Batch{Run: "r", State: []byte(`{}`), Tasks: []engine.Task{
		task("r", "never", engine.TaskRetry, now.Add(time.Hour)),
		task("r", "soon", engine.TaskRetry, soon),
		task("r", "now", engine.TaskRetry, now),
	}})
	if got := s.next(t, engine.Timers); got.ID != "now" || got.Run != "r" || got.Kind != engine.TaskRetry || got.Visit != 1 || got.Attempt != 1 {
		t.Errorf("first %+v, want now", got)
	}
	if got := s.next(t, engine.Timers); got.ID != "soon" || time.Now().Before(soon) {
		t.Errorf("then %s at %s, want soon not before %s", got.ID, time.Now(), soon)
	}
	s.nothing(t, engine.Timers)
}

// tasksInOrder: tasks that were due first come first, however many there are.
func tasksInOrder(t *testing.T, s suite) {
	const n = 1200 // more than a Log reads at once
	begin := time.Now().Add(-time.Hour)
	b := engine.Batch{Run: "r", State: []byte(`{}`)}
	for i := range n {
		b.Tasks = append(b.Tasks, task("r", fmt.Sprintf("t%04d", (i*7)%n), engine.TaskRetry, begin.Add(time.Duration((i*7)%n)*time.Millisecond)))
	}
	s.append(t, b)
	for i := range n {
		if got := s.next(t, engine.Timers); got.ID != fmt.Sprintf("t%04d", i) {
			t.Fatalf("task %d is %s", i, got.ID)
		}
	}
	s.nothing(t, engine.Timers)
}

func taskToOne(t *testing.T, s suite) {
	const n = 40
	b := engine.Batch{Run: "r", State: []byte(`{}`)}
	for i := range n {
		b.Tasks = append(b.Tasks, task("r", fmt.Sprint("t", i), engine.TaskCall, time.Now()))
	}
	s.append(t, b)
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	times := map[string]int{}
	for range 8 {
		wg.Go(func() {
			for {
				got, err := s.Next(ctx, engine.Calls)
				if err != nil {
					return
				}
				mu.Lock()
				if times[got.ID]++; len(times) == n {
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for i := range n {
		if id := fmt.Sprint("t", i); times[id] != 1 {
			t.Errorf("task %s was handed out %d times", id, times[id])
		}
	}
}

func held(t *testing.T, s suite) {
	s.append(t, engine.Batch{Run: "r", State: []byte(`{}`), Tasks: []engine.Task{task("r", "a", engine.TaskCall, time.Now())}})
	a := s.next(t, engine.Calls)
	s.hold(t, a, time.Hour)
	s.nothing(t, engine.Calls)
	s.hold(t, a, 0)
	if a = s.next(t, engine.Calls); a.ID != "a" {
		t.Errorf("got %s, want a again", a.ID)
	}
	until := time.Now().Add(50 * time.Millisecond)
	s.hold(t, a, 50*time.Millisecond)
	if got := s.next(t, engine.Calls); got.ID != "a" || time.Now().Before(until) {
		t.Errorf("got %s at %s, want a not before %s", got.ID, time.Now(), until)
	}
}

// staleLease: a worker that has lost a task can neither hold it, drop it, nor store its outcome;
// the new holder can.
func staleLease(t *testing.T, s suite) {
	rev := s.append(t, engine.Batch{Run: "r", State: []byte(`{}`), Tasks: []engine.Task{task("r", "a", engine.TaskCall, time.Now())}})
	old := s.next(t, engine.Calls)
	s.hold(t, old, 0)
	now := s.next(t, engine.Calls)
	if old.Token == "" || now.Token == "" || old.Token == now.Token {
		t.Fatalf("the tokens are %q and %q, want two", old.Token, now.Token)
	}
	s.stale(t, old)
	if _, err := s.Append(s.ctx, engine.Batch{Run: "r", Expect: rev, State: []byte(`{"old":true}`), Ends: old,
		Tasks: []engine.Task{task("r", "b", engine.TaskCall, time.Now())}}); !errors.Is(err, engine.ErrStale) {
		t.Errorf("an outcome under a lost lease: %v, want ErrStale", err)
	}
	s.nothing(t, engine.Calls) // neither a, which was not given back, nor b
	again := task("r", "a", engine.TaskCall, time.Now())
	rev = s.append(t, engine.Batch{Run: "r", Expect: rev, State: []byte(`{}`), Ends: now, Tasks: []engine.Task{again}})
	s.stale(t, now)
	last := s.next(t, engine.Calls)
	s.append(t, engine.Batch{Run: "r", Expect: rev, State: []byte(`{"last":true}`), Ends: last})
	s.stale(t, last)
	s.nothing(t, engine.Calls)
	if rec, err := s.Load(s.ctx, "r"); err != nil || string(rec.State) != `{"last":true}` {
		t.Errorf("state %s (%v), want that of the last holder", rec.State, err)
	}
}

// stale expects that a lease is lost.
func (s suite) stale(t *testing.T, lost engine.Task) {
	t.Helper()
	if err := s.Hold(s.ctx, lost, 0); !errors.Is(err, engine.ErrStale) {
		t.Errorf("holding %s: %v, want ErrStale", lost.ID, err)
	}
	if err := s.Drop(s.ctx, lost); err != nil {
		t.Errorf("dropping %s: %v", lost.ID, err)
	}
}

func (s suite) hold(t *testing.T, held engine.Task, d time.Duration) {
	t.Helper()
	if err := s.Hold(s.ctx, held, d); err != nil {
		t.Fatal(err)
	}
}

func doneAndDropped(t *testing.T, s suite) {
	rev := s.append(t, engine.Batch{Run: "r", State: []byte(`{}`), Tasks: []engine.Task{
		task("r", "a", engine.TaskCall, time.Now()), task("r", "b", engine.TaskCall, time.Now()), task("r", "c", engine.TaskCall, time.Now())}})
	first, second, third := s.next(t, engine.Calls), s.next(t, engine.Calls), s.next(t, engine.Calls)
	s.append(t, engine.Batch{Run: "r", Expect: rev, State: []byte(`{}`), Ends: first, Done: []string{second.ID, "unknown"}})
	if err := s.Drop(s.ctx, third); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []engine.Task{first, second, third} {
		s.stale(t, gone)
	}
	s.nothing(t, engine.Calls)
}

func replaced(t *testing.T, s suite) {
	now := time.Now()
	rev := s.append(t, engine.Batch{Run: "r", State: []byte(`{}`), Tasks: []engine.Task{task("r", "a", engine.TaskRetry, now)}})
	again := task("r", "a", engine.TaskRetry, now.Add(time.Hour))
	rev = s.append(t, engine.Batch{Run: "r", Expect: rev, State: []byte(`{}`), Tasks: []engine.Task{again}})
	s.nothing(t, engine.Timers)
	again.Due, again.Visit = now, 9
	// A batch that ends a task and adds the same task leaves the task.
	s.append(t, engine.Batch{Run: "r", Expect: rev, State: []byte(`{}`), Done: []string{"a"}, Tasks: []engine.Task{again}})
	if got := s.next(t, engine.Timers); got.ID != "a" || got.Visit != 9 {
		t.Errorf("got %+v, want the newest a", got)
	}
}

func queuesApart(t *testing.T, s suite) {
	now := time.Now()
	s.append(t, engine.Batch{Run: "r", State: []byte(`{}`), Tasks: []engine.Task{
		task("r", "call", engine.TaskCall, now), task("r", "retry", engine.TaskRetry, now.Add(time.Millisecond))}})
	if got := s.next(t, engine.Timers); got.ID != "retry" {
		t.Errorf("timers gave %s", got.ID)
	}
	if got := s.next(t, engine.Calls); got.ID != "call" {
		t.Errorf("calls gave %s", got.ID)
	}
}

func nextEnds(t *testing.T, s suite) {
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan error, 1)
	go func() {
		_, err := s.Next(ctx, engine.Calls)
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	case <-s.ctx.Done():
		t.Fatal("Next did not end with its context")
	}
	// The caller that went away took no task with it.
	s.append(t, engine.Batch{Run: "r", State: []byte(`{}`), Tasks: []engine.Task{task("r", "a", engine.TaskCall, time.Now())}})
	if got := s.next(t, engine.Calls); got.ID != "a" {
		t.Errorf("got %s, want a", got.ID)
	}
}
