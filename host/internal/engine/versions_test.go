package engine_test

import (
	"testing"
	"testing/synctest"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// An answer to a run whose version this process cannot have is refused visibly, and blocks
// no event behind it.
func TestUnknownVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := engine.NewMemory(0)
		r := newRig(t, log, &phone{}, race)
		id := r.run(engine.Request{Flow: "race"})
		synctest.Wait()
		r.stop()
		next := newRig(t, log, &phone{}) // without the flow, and without Compile
		defer next.stop()
		next.deliver(click("e", id+":ask:1", "a"))
		if refused := next.steps(id)[run.TraceWaitRefused]; len(refused) != 1 || refused[0].Code != "unknown_flow" || refused[0].ButtonID != "a" {
			t.Errorf("refused: %+v", refused)
		}
		if got := next.status(id); got != run.StatusRunning {
			t.Errorf("the run is %s", got)
		}
	})
}
