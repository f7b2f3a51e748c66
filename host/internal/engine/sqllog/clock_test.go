package sqllog

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// When the machine's clock jumps, nothing is lost and no change of a run's state is made twice: a
// task is late by as much as the clock went back, and a task whose lease a jump ended goes to
// another holder.
func TestClockJumps(t *testing.T) {
	onEach(t, func(t *testing.T, place func(t *testing.T) Options) {
		start := time.Now().Truncate(time.Microsecond) // as exact as a row
		var jumped atomic.Int64
		o := place(t)
		o.Now = func() time.Time { return start.Add(time.Duration(jumped.Load())) }
		l := open(t, o)
		put := func(b engine.Batch) error {
			b.State = []byte("{}")
			_, err := l.Append(t.Context(), b)
			return err
		}
		timer := func(run string, due time.Time) engine.Task {
			return engine.Task{ID: run, Run: run, Kind: engine.TaskRetry, Due: due}
		}
		due := func() string { // the task that is due at this moment
			task, _, err := l.desk.take(t.Context(), engine.Timers)
			check(t, err)
			return task.ID
		}
		next := func() engine.Task {
			task, err := l.Next(t.Context(), engine.Timers)
			check(t, err)
			return task
		}

		check(t, put(engine.Batch{Run: "far", Tasks: []engine.Task{timer("far", start.Add(time.Hour))}}))
		if id := due(); id != "" {
			t.Fatalf("%s came an hour early", id)
		}
		jumped.Store(int64(-24 * time.Hour)) // back by a day
		check(t, put(engine.Batch{Run: "now", Tasks: []engine.Task{timer("now", o.Now())}}))
		if task := next(); task.ID != "now" {
			t.Fatalf("%s came, a day before its time", task.ID)
		} else {
			check(t, put(engine.Batch{Run: "now", Expect: 1, Ends: task}))
		}
		if id := due(); id != "" {
			t.Fatalf("%s came a day early", id)
		}

		jumped.Store(int64(2 * time.Hour)) // forward, past everything
		first := next()
		if first.ID != "far" {
			t.Fatalf("got %q", first.ID)
		}
		jumped.Store(int64(3 * time.Hour)) // and past the lease, while its holder works
		second := next()
		if second.ID != "far" || second.Token == first.Token {
			t.Fatalf("got %+v", second)
		}
		if err := put(engine.Batch{Run: "far", Expect: 1, Ends: first}); !errors.Is(err, engine.ErrStale) {
			t.Errorf("the first holder stored its outcome: %v", err)
		}
		check(t, put(engine.Batch{Run: "far", Expect: 1, Ends: second}))
		if id := due(); id != "" {
			t.Errorf("%s came again", id)
		}
	})
}
