package enginetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// reopen closes the Log and opens another in its place.
func (s suite) reopen(t *testing.T) suite {
	t.Helper()
	if s.place.Child == nil {
		t.Skip("its data lasts no longer than the Log")
	}
	closer, ok := s.Log.(io.Closer)
	if !ok {
		t.Fatalf("%T has no Close", s.Log)
	}
	if err := closer.Close(); err != nil {
		t.Fatal(err)
	}
	s.Log = s.place.Open(t)
	return s
}

// reopened: a Log that was closed and opened again has the same data.
func reopened(t *testing.T, s suite) {
	now := time.Now()
	w := engine.Wait{Correlation: "r:ask:1", Run: "r", Node: "ask", Visit: 1, Expires: now.Add(time.Hour).UTC().Truncate(time.Second)}
	rev := s.append(t, engine.Batch{Run: "r", Digest: "d", State: []byte(`{"a":1}`), Waits: []engine.Wait{w},
		Tasks: []engine.Task{task("r", "call", engine.TaskCall, now), task("r", "retry", engine.TaskRetry, now), task("r", "done", engine.TaskRetry, now), task("r", "far", engine.TaskTimeout, now.Add(time.Hour))},
		Steps: []engine.Step{{Run: "r", Flow: "f", Kind: run.TraceRunStarted, Data: map[string]any{"n": 7}}}})
	rev = s.append(t, engine.Batch{Run: "r", Digest: "d", Expect: rev, State: []byte(`{"a":2}`), Done: []string{"done"}})
	if err := s.PutFlow(s.ctx, engine.Version{Digest: "d", Flow: "f", Source: []byte("source")}); err != nil {
		t.Fatal(err)
	}
	held := s.next(t, engine.Calls)
	s.hold(t, held, 0) // as the engine does when it stops
	s = s.reopen(t)
	if rec, err := s.Load(s.ctx, "r"); err != nil || rec.Revision != rev || string(rec.State) != `{"a":2}` {
		t.Errorf("the run is %s at %d (%v), want a:2 at %d", rec.State, rec.Revision, err, rev)
	}
	if got, err := s.Wait(s.ctx, w.Correlation); err != nil || !same(got, w) {
		t.Errorf("the wait is %+v (%v), want %+v", got, err, w)
	}
	if v, err := s.Flow(s.ctx, "d"); err != nil || string(v.Source) != "source" {
		t.Errorf("the version is %+v (%v)", v, err)
	}
	if steps, err := s.Steps(s.ctx, "r", 0); err != nil || len(steps) != 1 || steps[0].Kind != run.TraceRunStarted || fmt.Sprint(steps[0].Data) != "map[n:7]" {
		t.Errorf("the steps are %+v (%v)", steps, err)
	}
	call := s.next(t, engine.Calls)
	if call.ID != "call" || call.Token == held.Token {
		t.Errorf("the call is %+v, want it under another token", call)
	}
	s.stale(t, held)
	if got := s.next(t, engine.Timers); got.ID != "retry" {
		t.Errorf("the timer is %+v", got)
	}
	s.nothing(t, engine.Timers)
	s.append(t, engine.Batch{Run: "r", Expect: rev, State: []byte(`{}`), Ends: call})
}

// Write appends runs from several goroutines, without end, and reports each stored run on w. It is
// what a Place.Child does.
func Write(log engine.Log, w io.Writer) error {
	var mu sync.Mutex
	errs := make(chan error)
	for g := range 4 {
		go func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d-%d", g, n)
				if err := writeRun(log, id); err != nil {
					errs <- err
					return
				}
				mu.Lock()
				fmt.Fprintln(w, id)
				mu.Unlock()
			}
		}()
	}
	return <-errs
}

// writeRun stores a run in two batches: a call, and then a wait with its timer.
func writeRun(log engine.Log, id string) error {
	ctx := context.Background()
	rev, err := log.Append(ctx, engine.Batch{Run: id, State: []byte("1"), Tasks: []engine.Task{task(id, id+":call", engine.TaskCall, time.Now())},
		Steps: []engine.Step{{Run: id, Kind: run.TraceRunStarted}}})
	if err != nil {
		return err
	}
	_, err = log.Append(ctx, engine.Batch{Run: id, Expect: rev, State: []byte("2"), Done: []string{id + ":call"},
		Tasks: []engine.Task{task(id, id+":timer", engine.TaskRetry, time.Now())},
		Waits: []engine.Wait{{Correlation: id, Run: id, Expires: time.Now().Add(time.Hour)}}, Steps: []engine.Step{{Run: id, Kind: run.TraceWaitArmed}}})
	return err
}

// killed: everything that a Log has confirmed is there after kill -9, complete and once.
func killed(t *testing.T, s suite) {
	if s.place.Child == nil {
		t.Skip("its data lasts no longer than the Log")
	}
	if err := s.Log.(io.Closer).Close(); err != nil { //nolint:forcetypeassert // reopen says more
		t.Fatal(err)
	}
	const enough = 200
	confirmed := confirmations(t, s, enough)
	s.Log = s.place.Open(t)
	steps := map[string][]string{}
	newest, err := s.Newest(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for st, err := range s.Watch(s.ctx, "", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if steps[st.Run] = append(steps[st.Run], string(st.Kind)); st.Sequence == newest {
			break
		}
	}
	whole := 0
	for id, kinds := range steps {
		rec, err := s.Load(s.ctx, id)
		if err != nil {
			t.Errorf("%s has steps and no state: %v", id, err)
		}
		_, err = s.Wait(s.ctx, id)
		waiting := string(rec.State) == "2"
		if waiting {
			whole++
		}
		if waiting != (err == nil) || len(kinds) != int(rec.Revision) {
			t.Errorf("%s is at %s with %v, its wait: %v", id, rec.State, kinds, err)
		}
	}
	for id := range confirmed {
		if len(steps[id]) != 2 {
			t.Errorf("%s was confirmed and has the steps %v", id, steps[id])
		}
	}
	calls, timers := s.drain(t, engine.Calls), s.drain(t, engine.Timers)
	if len(timers) != whole || len(calls) != len(steps)-whole {
		t.Errorf("%d calls and %d timers are left of %d runs, %d of which wait", len(calls), len(timers), len(steps), whole)
	}
}

// confirmations runs a child until it has confirmed enough, and kills it.
func confirmations(t *testing.T, s suite, enough int) map[string]bool {
	t.Helper()
	child := s.place.Child(t)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	stop := context.AfterFunc(s.ctx, func() { _ = child.Process.Kill() }) // it may have ended
	defer stop()
	said := map[string]bool{}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if said[lines.Text()] = true; len(said) == enough {
			_ = child.Process.Kill() // then what it has said meanwhile is read
		}
	}
	err = child.Wait()
	if len(said) < enough {
		t.Fatalf("the child ended after %d confirmations: %v\n%s", len(said), err, strings.Join(slices.Sorted(maps.Keys(said)), "\n"))
	}
	return said
}

// drain takes all tasks that are due.
func (s suite) drain(t *testing.T, q engine.Queue) []engine.Task {
	t.Helper()
	kind := kindIn[q]
	last := "last of " + string(q)
	rev := s.append(t, engine.Batch{Run: last, State: []byte("{}"), Tasks: []engine.Task{task(last, last, kind, time.Now())}})
	var all []engine.Task
	for {
		got := s.next(t, q)
		if got.ID == last {
			s.append(t, engine.Batch{Run: last, Expect: rev, State: []byte("{}"), Ends: got})
			return all
		}
		all = append(all, got)
	}
}

// twoHosts: two Logs hand out each task to only one of them, and of two conflicting changes one
// wins. A Place that cannot be shared does not open twice.
func twoHosts(t *testing.T, s suite) {
	if !s.place.Shared {
		t.Skip("one Log at a time")
	}
	other := s
	other.Log = s.place.Open(t)
	const n = 40
	b := engine.Batch{Run: "r", State: []byte(`{}`)}
	for i := range n {
		b.Tasks = append(b.Tasks, task("r", fmt.Sprint("t", i), engine.TaskCall, time.Now()))
	}
	rev := s.append(t, b)
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	times := map[string]int{}
	for i := range 8 {
		wg.Go(func() {
			for {
				got, err := []suite{s, other}[i%2].Next(ctx, engine.Calls)
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
	for id, n := range times {
		if n != 1 {
			t.Errorf("task %s was handed out %d times", id, n)
		}
	}
	s.append(t, engine.Batch{Run: "r", Expect: rev, State: []byte(`{"here":1}`)})
	if _, err := other.Append(s.ctx, engine.Batch{Run: "r", Expect: rev, State: []byte(`{"there":1}`)}); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("the other host's change: %v, want ErrConflict", err)
	}
	// A task that one Log gives back goes to the other, and the first no longer holds it.
	s.append(t, engine.Batch{Run: "q", State: []byte(`{}`), Tasks: []engine.Task{task("q", "q", engine.TaskRetry, time.Now())}})
	mine := s.next(t, engine.Timers)
	s.hold(t, mine, 0)
	theirs := other.next(t, engine.Timers)
	s.stale(t, mine)
	other.append(t, engine.Batch{Run: "q", Expect: 1, State: []byte(`{}`), Ends: theirs})
}
