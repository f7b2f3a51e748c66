package engine_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

const twice = `
apiVersion: flow/v1
kind: Flow
metadata: {id: twice}
triggers: [{id: start, type: manual, to: first}]
nodes:
  - id: first
    type: whatsapp.sendButtons@1
    with: {instance: demo, number: "1", contentText: First, buttons: [{id: a, displayText: A}]}
    wait: {timeout: 1h, late: reject}
  - id: second
    type: whatsapp.sendButtons@1
    with: {instance: demo, number: "1", contentText: Second, buttons: [{id: a, displayText: A}]}
    wait: {timeout: 1h, late: reject}
  - {id: end, type: whatsapp.sendText@1, with: {instance: demo, number: "1", contentText: End}}
edges: [{from: "first.reply:a", to: second}, {from: "second.reply:a", to: end}]
`

// A host whose cached run is older than a change by another host notices it, even when there would
// be nothing to store: it accepts an answer to a wait that it has not seen yet, and recognizes an
// answer that the other host has taken.
func TestAnotherHostChangesTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, p := engine.NewMemory(0), &phone{}
		one := newRig(t, log, p, twice)
		one.stop() // it takes events, and makes no calls
		id := one.run(engine.Request{Flow: "twice"})
		other := newRig(t, log, p, twice)
		defer other.stop()
		synctest.Wait()
		if d := other.deliver(click("e1", id+":first:1", "a")); d.Answered != id {
			t.Fatalf("%+v", d)
		}
		synctest.Wait()
		if d := one.deliver(click("e1", id+":first:1", "a")); !d.Duplicate {
			t.Errorf("what the other host has taken: %+v", d)
		}
		if d, err := one.Deliver(context.Background(), click("e2", id+":second:2", "a")); err != nil || d.Answered != id || d.Duplicate {
			t.Errorf("an answer to what the other host has asked: %+v, %v", d, err)
		}
		if got := other.status(id); got != run.StatusSucceeded {
			t.Errorf("the run %s", got)
		}
	})
}
