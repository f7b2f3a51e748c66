package engine_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// An answer to a run whose version this process cannot have is refused visibly, blocks no
// event behind it, and is taken when it is sent again to a process that has the version.
func TestUnknownVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := engine.NewMemory(0)
		r := newRig(t, log, &phone{}, race)
		id := r.run(engine.Request{Flow: "race"})
		synctest.Wait()
		r.stop()
		next := newRig(t, log, &phone{}) // without the flow, and without Compile
		if d := next.deliver(click("e", id+":ask:1", "a")); !d.Dead {
			t.Errorf("%+v", d)
		}
		if refused := next.steps(id)[run.TraceWaitRefused]; len(refused) != 1 || refused[0].Code != "unknown_flow" || refused[0].ButtonID != "a" {
			t.Errorf("refused: %+v", refused)
		}
		if got := next.status(id); got != run.StatusRunning {
			t.Errorf("the run is %s", got)
		}
		next.stop()
		third := newRig(t, log, &phone{}, race)
		defer third.stop()
		letters := deadLetters(t, third)
		if len(letters) != 1 || letters[0].Run != id || letters[0].Code != "unknown_flow" {
			t.Fatalf("dead letters: %+v", letters)
		}
		d, err := third.Resend(context.Background(), letters[0].ID)
		if err != nil || d.Answered != id || len(deadLetters(t, third)) != 0 {
			t.Errorf("resent: %+v, %v; %d letters are left", d, err, len(deadLetters(t, third)))
		}
	})
}
