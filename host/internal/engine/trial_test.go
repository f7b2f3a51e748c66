package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// tried is a flow of one menu, in which each run replaces the one before.
const tried = `
apiVersion: flow/v1
kind: Flow
metadata: {id: tried}
triggers:
  - {id: start, type: manual, to: ask, concurrency: {policy: replace}}
  - {id: words, type: whatsapp.messageReceived@1, when: "${ event.text == 'hi' }", to: ask}
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with: {instance: demo, number: "551199", contentText: VERSION, buttons: [{id: a, displayText: A}]}
    wait: {timeout: 1h}
  - {id: done, type: log@1, with: {message: done}}
edges: [{from: "ask.reply:a", to: done}]
`

func newRigCompiling(t *testing.T, log *engine.Memory, flows ...string) *rig {
	t.Helper()
	cat := flowtest.Catalogue(t)
	return openRig(t, engine.Options{Log: log, Executor: &phone{}, Compile: func(id string, src []byte) (*flow.Program, error) {
		p, _, err := flow.LoadAs(src, cat, id)
		return p, err
	}}, flows...)
}

// draft saves a draft, which may be invalid.
func (r *rig) draft(src string) int {
	r.t.Helper()
	p, _, err := flow.Load([]byte(src), flowtest.Catalogue(r.t))
	if err != nil {
		p = nil
	}
	v, err := r.Draft(context.Background(), "tried", "me", []byte(src), p)
	if err != nil {
		r.t.Fatal(err)
	}
	return v.Number
}

// A draft is tried alongside the runs of customers. A trial goes on with the draft it began with,
// even when that is replaced and the host restarts.
func TestTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, log := context.Background(), engine.NewMemory(0)
		r := newRigCompiling(t, log, strings.Replace(tried, "VERSION", "published", 1))
		customer := r.run(engine.Request{Flow: "tried"})
		if again := r.run(engine.Request{Flow: "tried", Version: 1}); r.status(customer) != run.StatusCancelled {
			t.Errorf("version 1 is what is published, and %s did not take its place", again)
		} else {
			customer = again
		}
		draft := r.draft(strings.Replace(tried, "VERSION", "draft", 1))
		first := r.run(engine.Request{Flow: "tried", Version: draft, Key: "k"})
		if same := r.run(engine.Request{Flow: "tried", Version: draft, Key: "k"}); same != first {
			t.Errorf("the same key: %s and %s", first, same)
		}
		if _, err := r.Run(ctx, engine.Request{Flow: "tried", Key: "k"}); !errors.Is(err, engine.ErrKeyUsed) {
			t.Errorf("the key for another version: %v", err)
		}
		second := r.run(engine.Request{Flow: "tried", Version: draft})
		if c, f, s := r.status(customer), r.status(first), r.status(second); c != run.StatusRunning || f != run.StatusCancelled || s != run.StatusRunning {
			t.Errorf("the customer's run is %s, the first trial %s, the second %s", c, f, s)
		}
		if next := r.draft(strings.Replace(tried, "VERSION", "next", 1)); next != draft+1 {
			t.Errorf("the next draft is %d, and the tried one %d", next, draft)
		}
		r.stop()
		r = newRigCompiling(t, log, strings.Replace(tried, "VERSION", "published", 1))
		defer r.stop()
		if d := r.deliver(click("e", second+":ask:1", "a")); d.Answered != second || r.status(second) != run.StatusSucceeded {
			t.Errorf("after a restart: %+v, and it is %s", d, r.status(second))
		}
		for _, c := range []struct {
			trial *bool
			want  int
		}{{nil, 4}, {new(true), 2}, {new(false), 2}} {
			page, err := r.Runs(ctx, engine.Query{Flow: "tried", Trial: c.trial})
			if err != nil || len(page.Runs) != c.want {
				t.Errorf("%v: %+v (%v)", c, page.Runs, err)
			}
			for _, f := range page.Runs {
				if f.Trial != (f.Run == first || f.Run == second) || f.Version == 0 {
					t.Errorf("%+v", f)
				}
			}
		}
	})
}

// An error says why no run starts, and where the fault is.
func TestTrialRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		r := newRigCompiling(t, engine.NewMemory(0))
		defer r.stop()
		if _, err := r.Run(ctx, engine.Request{Flow: "tried", Version: 1}); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("no version: %v", err)
		}
		unfit := r.draft("nonsense")
		var bad *engine.UnfitError
		if _, err := r.Run(ctx, engine.Request{Flow: "tried", Version: unfit}); !errors.As(err, &bad) || bad.Version != unfit || len(bad.Invalid.Findings) == 0 {
			t.Errorf("an unfit draft: %v", err)
		}
		other := r.draft(strings.NewReplacer("id: tried", "id: other", "VERSION", "x").Replace(tried))
		if _, err := r.Run(ctx, engine.Request{Flow: "tried", Version: other}); !errors.As(err, &bad) || bad.Invalid.Findings[0].Code != "another_flow" {
			t.Errorf("another flow's draft: %v", err)
		}
		fit := r.draft(strings.Replace(tried, "VERSION", "x", 1))
		said := func(text string) map[string]any {
			who := map[string]any{"jid": "c", "lid": nil, "phone": nil, "name": "Ana", "type": "private"}
			return map[string]any{"instance": "demo", "messageId": "m", "receivedAt": "2026-11-22T13:06:00Z", "chat": who, "sender": who,
				"kind": "text", "text": text, "quotedMessageId": nil, "menu": nil, "matchedBy": "none"}
		}
		for _, c := range []struct {
			trigger string
			event   any
			want    string
		}{
			{"wrods", nil, "/trigger unknown_trigger"},
			{"start", said("hi"), "/event no_event"},
			{"words", map[string]any{"text": 1}, "/event/chat required"},
			{"words", said("ho"), "/event not_taken"},
			{"words", said(strings.Repeat("x", 300<<10)), "/event too_large"},
			{"words", said("hi"), ""},
			{"", nil, ""},
		} {
			_, err := r.Run(ctx, engine.Request{Flow: "tried", Version: fit, Trigger: c.trigger, Data: c.event})
			got := ""
			if invalid, ok := errors.AsType[*flow.InvalidError](err); ok && errors.Is(err, engine.ErrBadEvent) {
				got = invalid.Findings[0].Pointer + " " + invalid.Findings[0].Code
			} else if err != nil {
				got = fmt.Sprint(err)
			}
			if got != c.want {
				t.Errorf("%q %.60v: %q, want %q", c.trigger, c.event, got, c.want)
			}
		}
	})
}
