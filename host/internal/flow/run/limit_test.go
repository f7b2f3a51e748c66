package run_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// A run that loops too often, or holds too much, fails with a code that names the bound, and makes
// no further calls.
func TestRunLimits(t *testing.T) {
	p, _, err := flow.Load([]byte(`
apiVersion: flow/v1
kind: Flow
metadata: {id: f}
triggers: [{id: start, type: manual, to: ask}]
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with: {instance: demo, number: "1", contentText: Again, buttons: [{id: a, displayText: A}]}
    wait: {timeout: 1h}
edges:
  - {from: "ask.reply:a", to: ask}
  - {from: ask.timeout, to: ask}
`), flowtest.Catalogue(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("visits", func(t *testing.T) {
		sc := newScript(t, p)
		sc.line("start")
		sc.s.Count, sc.s.Visits[0].N = run.MaxVisits-500, run.MaxVisits-500 // an old run
		for sc.s.Status == run.StatusRunning {
			visit := sc.s.Count
			sc.quick(run.Event{Kind: run.Succeeded, Visit: visit, Attempt: 1, Data: map[string]any{}})
			sc.quick(run.Event{Kind: run.Answered, Visit: visit, Type: "whatsapp.button.clicked.v1", Data: map[string]any{"button": map[string]any{"id": "a"}}})
		}
		if sc.s.Count != run.MaxVisits || sc.s.Error == nil || sc.s.Error.Code != "visit_limit" {
			t.Errorf("after %d visits: %+v", sc.s.Count, sc.s.Error)
		}
		if n := len(sc.s.Visits); n > 201 {
			t.Errorf("the state remembers %d visits", n)
		}
		if raw, err := json.Marshal(sc.s); err != nil || len(raw) > 100_000 {
			t.Errorf("the state has %d bytes (%v)", len(raw), err)
		}
	})
	t.Run("state", func(t *testing.T) {
		sc := newScript(t, p)
		sc.line("start")
		sc.step(run.Event{Kind: run.Succeeded, Visit: 1, Attempt: 1, Data: map[string]any{"x": strings.Repeat("a", run.MaxState)}})
		if sc.s.Status != run.StatusFailed || sc.s.Error.Code != "state_limit" || len(sc.s.Outputs) != 0 {
			t.Errorf("%s, %+v", sc.s.Status, sc.s.Error)
		}
		if got := sc.out.String(); strings.Contains(got, "timeout of ask") {
			t.Errorf("effects:\n%s", got)
		}
	})
	t.Run("nothing is pending after the end", func(t *testing.T) {
		sc := newScript(t, p)
		sc.line("start")
		sc.line("ok ask")
		if len(sc.s.Pending()) != 1 {
			t.Fatalf("before the end: %v", sc.s.Pending())
		}
		sc.line("cancel")
		if len(sc.s.Pending()) != 0 || len(sc.s.Waiting()) != 1 {
			t.Errorf("after the end: %v, %v", sc.s.Pending(), sc.s.Waiting())
		}
	})
	t.Run("pinned", func(t *testing.T) {
		s := run.State{Run: "r", Digest: "another"}
		if _, _, err := run.Apply(p, s, run.Event{Kind: run.Cancelled}); err == nil || !strings.Contains(err.Error(), "another version") {
			t.Errorf("got %v", err)
		}
	})
}

// quick applies an event without the checks of step.
func (sc *script) quick(e run.Event) {
	sc.now = sc.now.Add(time.Minute)
	e.At = sc.now
	s, _, err := run.Apply(sc.p, sc.s, e)
	if err != nil {
		sc.t.Fatal(err)
	}
	sc.s = s
}
