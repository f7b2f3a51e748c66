package engine_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// After an outage, an answer that was given in time may still be on its way when its wait times
// out: the timeout waits for it.
func TestTimeoutsWaitForAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := engine.NewMemory(0)
		first := newRig(t, log, &phone{}, race)
		id := first.run(engine.Request{Flow: "race"})
		synctest.Wait()
		tapped := time.Now()
		first.stop()
		time.Sleep(time.Hour) // the wait is over by then
		var behind atomic.Bool
		behind.Store(true)
		r := newRigBehind(t, log, &phone{}, func(string, string) bool { return behind.Load() }, race)
		defer r.stop()
		time.Sleep(time.Minute)
		if got := r.status(id); got != run.StatusRunning {
			t.Fatalf("the run %s before the answers were read", got)
		}
		ev := click("e1", id+":ask:1", "a")
		ev.Time = tapped
		if d, err := r.Deliver(context.Background(), ev); err != nil || d.Answered != id {
			t.Fatalf("%+v, %v", d, err)
		}
		behind.Store(false)
		time.Sleep(time.Minute)
		steps := r.steps(id)
		if len(steps[run.TraceWaitAnswered]) != 1 || len(steps[run.TraceWaitTimeout]) != 0 || r.status(id) != run.StatusSucceeded {
			t.Errorf("answered %d times, timed out %d times", len(steps[run.TraceWaitAnswered]), len(steps[run.TraceWaitTimeout]))
		}
		other := r.run(engine.Request{Flow: "race"})
		time.Sleep(time.Hour + time.Minute)
		if len(r.steps(other)[run.TraceWaitTimeout]) != 1 {
			t.Error("a wait that nobody answers did not time out")
		}
	})
}

// While an instance is away, the waits of its messages do not time out; other waits do. An answer
// that was given in time but arrives after the timeout was taken is late: the flow's rule for late
// answers decides, once.
func TestTimeoutsWaitForTheirInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		elsewhere := strings.NewReplacer("id: race}", "id: elsewhere}", "demo", "shop").Replace(race)
		r := newRigBehind(t, engine.NewMemory(0), &phone{}, func(instance, _ string) bool { return away.Load() && instance == "demo" }, race, elsewhere)
		defer r.stop()
		held, other := r.run(engine.Request{Flow: "race"}), r.run(engine.Request{Flow: "elsewhere"})
		answered := r.run(engine.Request{Flow: "race"})
		time.Sleep(time.Hour + time.Minute)
		if got := r.status(held); got != run.StatusRunning || r.status(other) != run.StatusSucceeded {
			t.Errorf("while the instance is away its run %s, and that of another %s", got, r.status(other))
		}
		if d := r.deliver(click("e1", answered+":ask:1", "a")); d.Answered != answered {
			t.Errorf("%+v", d)
		}
		away.Store(false)
		time.Sleep(time.Minute)
		for range 2 {
			r.deliver(click("e2", held+":ask:1", "b"))
		}
		steps := r.steps(held)
		if len(steps[run.TraceWaitTimeout]) != 1 || len(steps[run.TraceWaitRefused]) != 1 || len(steps[run.TraceWaitAnswered])+len(steps[run.TraceWaitRestarted]) != 0 {
			t.Errorf("after the timeout: %v", steps)
		}
		if steps := r.steps(answered); len(steps[run.TraceWaitAnswered]) != 1 || len(steps[run.TraceWaitTimeout]) != 0 {
			t.Errorf("the one that was answered: %v", steps)
		}
	})
}
