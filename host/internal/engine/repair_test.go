package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/sdk"
)

// A run that failed with an unknown effect is retried under the same key and then waits as if it
// had not failed; its timers can be made due by hand, once.
func TestRepair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		p := &phone{}
		p.before = func(_ context.Context, _ engine.Call, nth int) error {
			if nth == 1 {
				return &sdk.Problem{Code: "lost", Message: "no answer", Effect: sdk.EffectUnknown}
			}
			return nil
		}
		r := newRig(t, engine.NewMemory(0), p, race)
		defer r.stop()
		id := r.run(engine.Request{Flow: "race"})
		if got := r.status(id); got != run.StatusFailed {
			t.Fatalf("the run is %s", got)
		}
		if err := r.Resume(ctx, id, 0); !errors.Is(err, run.ErrNoResume) {
			t.Errorf("resumed: %v", err)
		}
		if err := r.Retry(ctx, id); err != nil {
			t.Fatal(err)
		}
		if got := r.status(id); got != run.StatusRunning || len(p.calls) != 2 || p.calls[0].Key != p.calls[1].Key {
			t.Fatalf("after the retry it is %s, with the calls %+v", got, p.calls)
		}
		if err := r.Retry(ctx, id); !errors.Is(err, run.ErrNoRetry) {
			t.Errorf("tried again while it runs: %v", err)
		}
		page, err := r.Runs(ctx, engine.Query{Flow: "race", Node: "ask"})
		if err != nil || len(page.Runs) != 1 || page.Runs[0].Version != 1 || page.Runs[0].Error != "" {
			t.Errorf("waiting: %+v (%v)", page, err)
		}
		h, err := r.History(ctx, id)
		if err != nil || len(h.Pending) != 1 || h.Pending[0].Kind != run.PendingTimeout || h.Steps[1].Key != engine.RunKeys+id+":ask:1" {
			t.Errorf("the history is %+v (%v)", h, err)
		}
		if err := r.Resume(ctx, id, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour) // the time the wait had: nothing more comes of it
		if steps := r.steps(id); len(steps[run.TraceWaitTimeout]) != 1 || len(p.calls) != 3 {
			t.Errorf("the wait ended %d times, after the calls %+v", len(steps[run.TraceWaitTimeout]), p.calls)
		}
	})
}

// A run that failed because the flow that it runs failed is retried in that flow, and ends when
// that run does. When that run cannot be retried, the run fails again and says so.
func TestRetryOfTheOtherFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		broken := true
		p := &phone{}
		p.before = func(context.Context, engine.Call, int) error {
			if broken {
				return &sdk.Problem{Code: "refused", Message: "not now", Effect: sdk.EffectNone}
			}
			return nil
		}
		const caller = `
apiVersion: flow/v1
kind: Flow
metadata: {id: caller}
triggers: [{id: start, type: manual, to: child}]
nodes: [{id: child, type: flow@1, with: {flow: child, vars: {name: Ana}}}]
`
		r := newRig(t, engine.NewMemory(0), p, caller, child)
		defer r.stop()
		id := r.run(engine.Request{Flow: "caller"})
		if got := r.status(id); got != run.StatusFailed {
			t.Fatalf("the run is %s", got)
		}
		broken = false
		if err := r.Retry(ctx, id); err != nil {
			t.Fatal(err)
		}
		if got := r.status(id); got != run.StatusRunning || len(p.calls) != 2 {
			t.Fatalf("after the retry it is %s, with the calls %+v", got, p.calls)
		}
		called := r.childID("child")
		r.deliver(click("e", called+":ask:2", "a"))
		if mother, other := r.status(id), r.status(called); mother != run.StatusSucceeded || other != run.StatusSucceeded {
			t.Errorf("they are %s and %s", mother, other)
		}

		broken = true
		id = r.run(engine.Request{Flow: "caller"})
		if got := r.status(id); got != run.StatusFailed {
			t.Fatalf("the run is %s", got)
		}
		page, err := r.Runs(ctx, engine.Query{Flow: "child", Status: run.StatusFailed})
		if err != nil || len(page.Runs) != 1 {
			t.Fatal(page, err)
		}
		if err := r.Cancel(ctx, page.Runs[0].Run, "enough"); err != nil {
			t.Fatal(err)
		}
		if err := r.Retry(ctx, id); !errors.Is(err, run.ErrNoRetry) {
			t.Errorf("past repair: %v", err)
		}
		if got := r.status(id); got != run.StatusFailed {
			t.Errorf("the run is %s", got)
		}
	})
}
