package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// After an outage, an answer that was given in time is on its way while its wait times out:
// the timeout waits for it.
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
		r := newRigBehind(t, log, &phone{}, behind.Load, race)
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
		time.Sleep(time.Hour)
		if len(r.steps(other)[run.TraceWaitTimeout]) != 1 {
			t.Error("a wait that nobody answers did not time out")
		}
	})
}
