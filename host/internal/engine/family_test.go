package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

const mother = `
apiVersion: flow/v1
kind: Flow
metadata: {id: mother}
triggers: [{id: start, type: manual, to: child}]
nodes:
  - {id: child, type: flow@1, with: {flow: child, vars: {name: Ana}}}
  - {id: done, type: whatsapp.sendText@1, with: {instance: demo, number: "1", contentText: "${ nodes.child.vars.name } took ${ nodes.child.outputs.done.messageId }"}}
  - {id: failed, type: whatsapp.sendText@1, with: {instance: demo, number: "1", contentText: "failed: ${ error.code }"}}
edges:
  - {from: child.out, to: done}
  - {from: child.error, to: failed}
`

const child = `
apiVersion: flow/v1
kind: Flow
metadata: {id: child}
vars: {type: object, required: [name], properties: {name: {type: string}}}
triggers: [{id: called, type: flow, to: ask}]
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with: {instance: demo, number: "1", contentText: "Menu for ${ vars.name }", buttons: [{id: a, displayText: A}]}
    wait: {timeout: 1h}
  - {id: done, type: whatsapp.sendText@1, with: {instance: demo, number: "1", contentText: "Thanks"}}
edges:
  - {from: "ask.reply:a", to: done}
`

// childID finds the run that a step of type flow began.
func (r *rig) childID(flowID string) (id string) {
	for _, st := range r.steps("")[run.TraceRunStarted] {
		if st.Flow == flowID {
			id = st.Run
		}
	}
	return id
}

// A step that runs another flow waits until that run is over, even across a restart of the host,
// and continues with its outcome.
func TestSubflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, p := engine.NewMemory(0), &phone{}
		r := newRig(t, log, p, mother, child)
		id := r.run(engine.Request{Flow: "mother"})
		if r.status(id) != run.StatusRunning || p.count("Menu for Ana") != 1 {
			t.Fatalf("the run %s", r.status(id))
		}
		below := r.childID("child")
		r.stop()
		r = newRig(t, log, p, mother, child)
		defer r.stop()
		time.Sleep(time.Minute)
		r.deliver(click("e1", below+":ask:1", "a"))
		if r.status(below) != run.StatusSucceeded || r.status(id) != run.StatusSucceeded || p.count("Ana took M2") != 1 {
			t.Errorf("the run below %s, the run %s: %+v", r.status(below), r.status(id), p.calls)
		}
	})
}

// A step that pins its flow runs the version that was published when its own run began; any other
// step runs the version published now.
func TestSubflowVersion(t *testing.T) {
	for version, want := range map[string]string{"pinned": "Menu for Ana", "current": "Another menu"} {
		synctest.Test(t, func(t *testing.T) {
			p := &phone{}
			waits := strings.ReplaceAll(strings.ReplaceAll(mother, "to: child}", "to: rest}"), "nodes:\n", "nodes:\n  - {id: rest, type: delay@1, with: {for: 1h}}\n")
			waits = strings.ReplaceAll(strings.ReplaceAll(waits, "flow: child,", "flow: child, version: "+version+","), "edges:\n", "edges:\n  - {from: rest.out, to: child}\n")
			r := newRig(t, engine.NewMemory(0), p, waits, child)
			defer r.stop()
			r.run(engine.Request{Flow: "mother"})
			if err := r.Deploy(t.Context(), r.load(strings.ReplaceAll(child, "Menu for ${ vars.name }", "Another menu"))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			if p.count(want) != 1 {
				t.Errorf("%s: %+v", version, p.calls)
			}
		})
	}
}

// A run that is cancelled cancels the run that it waits for. When that run fails or cannot begin,
// the step takes the error port.
func TestSubflowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{}
		r := newRig(t, engine.NewMemory(0), p, mother, child)
		defer r.stop()
		ctx := context.Background()
		id := r.run(engine.Request{Flow: "mother"})
		synctest.Wait()
		below := r.childID("child")
		if err := r.Cancel(ctx, id, "enough"); err != nil {
			t.Fatal(err)
		}
		if got := r.status(below); got != run.StatusCancelled {
			t.Errorf("below a run that was cancelled: %s", got)
		}
		id = r.run(engine.Request{Flow: "mother"})
		synctest.Wait()
		if err := r.Cancel(ctx, r.childID("child"), "enough"); err != nil {
			t.Fatal(err)
		}
		if r.status(id) != run.StatusSucceeded || p.count("failed: flow_failed") != 1 {
			t.Errorf("above a run that was cancelled: %s", r.status(id))
		}
	})
}

func TestSubflowThatCannotBegin(t *testing.T) {
	deep := strings.ReplaceAll(strings.ReplaceAll(mother, "flow: child, vars: {name: Ana}", "flow: mother"), "type: manual", "type: flow")
	for code, flows := range map[string][]string{
		"unknown_flow":      {mother},
		"not_a_subflow":     {mother, strings.ReplaceAll(child, "type: flow", "type: manual")},
		"invalid_variables": {strings.ReplaceAll(mother, "name: Ana", "nom: Ana"), child},
		"too_deep":          {strings.ReplaceAll(mother, "flow: child, vars: {name: Ana}", "flow: deep"), strings.ReplaceAll(deep, "mother", "deep")},
	} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &phone{}
				r := newRig(t, engine.NewMemory(0), p, flows...)
				defer r.stop()
				id := r.run(engine.Request{Flow: "mother"})
				if got := r.status(id); got == run.StatusRunning || p.count(fmt.Sprint("failed: ", code)) != 1 {
					t.Errorf("%s: %+v", got, p.calls)
				}
			})
		})
	}
}
