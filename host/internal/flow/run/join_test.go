package run_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/sdk"
)

// Whatever forks and joins a flow has, and in whatever order its branches proceed, the run ends,
// and a join that a branch reached is entered exactly once.
func TestJoinsInAnyOrder(t *testing.T) {
	cat := flowtest.Catalogue(t)
	entered := 0
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // a test's seed
		src := mustJSON(t, tangle(rnd))
		p, findings, err := flow.Load(src, cat)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, findings, src)
		}
		arrived, came := map[string]int{}, map[string]int{}
		sc := newScript(t, p)
		sc.seen = func(x run.Effect) {
			tr, ok := x.(run.Trace)
			if !ok {
				return
			}
			switch {
			case tr.Kind == run.TraceNodeStarted && tr.Attempt == 1:
				came[tr.Node]++
			case tr.Kind == run.TraceBranchJoined:
				arrived[tr.Node]++
			}
		}
		sc.line("start")
		for steps := 0; sc.s.Status == run.StatusRunning; steps++ {
			if steps > 5_000 {
				t.Fatalf("seed %d: the run does not end\n%s\n%s", seed, src, mustJSON(t, sc.s))
			}
			sc.step(somehow(sc, rnd))
		}
		if sc.s.Status != run.StatusSucceeded {
			t.Errorf("seed %d: the run has %s: %v", seed, sc.s.Status, sc.s.Error)
		}
		for _, n := range p.Flow().Nodes {
			if n.Join != "" && came[n.ID] > 1 || n.Join == flow.JoinAll && arrived[n.ID] > 0 && came[n.ID] != 1 {
				t.Errorf("seed %d: %s, join %s, was entered %d times by %d branches\n%s", seed, n.ID, n.Join, came[n.ID], arrived[n.ID], src)
			}
			if n.Join != "" {
				entered += came[n.ID]
			}
		}
	}
	if entered < 100 {
		t.Errorf("only %d joins were entered: do the flows still have any?", entered)
	}
}

// In flows with cycles, too, a run that has not ended has something pending: no branch is held for
// ever.
func TestJoinsInCircles(t *testing.T) {
	cat := flowtest.Catalogue(t)
	ran, again := 0, 0
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // a test's seed
		doc := tangle(rnd)
		nodes, edges := doc["nodes"].([]any), doc["edges"].([]any)
		for _, n := range nodes { // edges back, from ports that wait
			n := n.(map[string]any)
			port := map[string]string{"whatsapp.sendButtons@1": "reply:a", "delay@1": "out"}[n["type"].(string)]
			if port != "" && rnd.IntN(2) == 0 {
				edges = append(edges, map[string]any{"from": n["id"].(string) + "." + port, "to": fmt.Sprint("n", rnd.IntN(len(nodes)-1))})
			}
		}
		doc["edges"] = edges
		p, _, err := flow.Load(mustJSON(t, doc), cat)
		if err != nil { // joins that wait for each other
			continue
		}
		ran++
		came := map[string]int{}
		sc := newScript(t, p)
		sc.seen = func(x run.Effect) {
			if tr, ok := x.(run.Trace); ok && tr.Kind == run.TraceNodeStarted && tr.Attempt == 1 && p.Node(tr.Node).Join != "" {
				if came[tr.Node]++; came[tr.Node] == 2 {
					again++
				}
			}
		}
		sc.line("start")
		for steps := 0; sc.s.Status == run.StatusRunning && steps < 150; steps++ {
			if len(sc.s.Pending()) == 0 {
				t.Fatalf("seed %d: nothing happens any more\n%s\n%s", seed, mustJSON(t, doc), mustJSON(t, sc.s))
			}
			sc.step(somehow(sc, rnd))
		}
	}
	if ran < 20 || again < 5 {
		t.Errorf("only %d flows ran, and %d joins were entered again", ran, again)
	}
}

// somehow returns one of the events that can happen next, and advances the clock as needed.
func somehow(sc *script, rnd *rand.Rand) run.Event {
	pending := sc.s.Pending()
	next := pending[rnd.IntN(len(pending))]
	e := run.Event{Visit: next.Visit, Attempt: next.Attempt}
	if waits := sc.s.Waiting(); len(waits) > 0 && rnd.IntN(3) == 0 {
		e.Visit, e.Kind, e.Type, e.Data = waits[rnd.IntN(len(waits))].Visit, run.Answered, "whatsapp.button.clicked.v1", map[string]any{"button": map[string]any{"id": "a"}}
		if rnd.IntN(2) == 0 {
			e.Type, e.Data = "whatsapp.message.received.v1", map[string]any{"text": "hello"}
		}
		return e
	}
	switch next.Kind {
	case run.PendingRetry, run.PendingTimeout:
		if next.Due.After(sc.now) && rnd.IntN(4) > 0 {
			sc.now = next.Due.Add(time.Duration(rnd.IntN(90)) * time.Second)
		}
		e.Kind = run.TimedOut
		if next.Kind == run.PendingRetry {
			e.Kind = run.RetryDue
		}
	default:
		e.Kind, e.Data = run.Succeeded, map[string]any{"messageId": "M"}
		if len(sc.p.Node(next.Node).Targets(flow.PortError)) > 0 && rnd.IntN(3) == 0 {
			e.Kind, e.Problem = run.Failed, &sdk.Problem{Code: "broken", Message: "broken", Effect: sdk.EffectNone}
		}
	}
	return e
}

// tangle returns a flow of forks and joins without cycles: edges lead to later nodes only.
func tangle(rnd *rand.Rand) map[string]any {
	kinds := []struct {
		node  map[string]any
		ports []string
	}{
		{map[string]any{"type": "log@1", "with": map[string]any{"message": "x"}}, []string{"out", "out", "error"}},
		{map[string]any{"type": "delay@1", "with": map[string]any{"for": "1m"}}, []string{"out", "out"}},
		{map[string]any{"type": "whatsapp.sendButtons@1", "wait": map[string]any{"timeout": "5m", "remind": []any{"1m", "2m"}, "collect": "2s", "late": "reject"},
			"with": map[string]any{"instance": "demo", "number": "1", "contentText": "M", "buttons": []any{map[string]any{"id": "a", "displayText": "A"}}}},
			[]string{"reply:a", "text", "timeout", "sent", "error", "remind:1", "remind:*"}},
	}
	size := 6 + rnd.IntN(10)
	var nodes, edges []any
	for i := range size {
		kind := kinds[rnd.IntN(len(kinds))]
		id := fmt.Sprint("n", i)
		node := map[string]any{"id": id}
		for k, v := range kind.node {
			node[k] = v
		}
		if join := []string{"", "", "all", "any"}[rnd.IntN(4)]; join != "" {
			node["join"] = join
		}
		if i == size-1 { // it leads nowhere, so it cannot take words
			node = map[string]any{"id": id, "type": "log@1", "join": "all", "with": map[string]any{"message": "x"}}
			kind.ports = nil
		}
		nodes = append(nodes, node)
		for _, port := range kind.ports {
			for range 1 + rnd.IntN(3)/2 {
				if rnd.IntN(5) > 0 || port == "text" {
					edges = append(edges, map[string]any{"from": id + "." + port, "to": fmt.Sprint("n", i+1+rnd.IntN(min(4, size-1-i)))})
				}
			}
		}
	}
	return map[string]any{"apiVersion": "flow/v1", "kind": "Flow", "metadata": map[string]any{"id": "f"},
		"triggers": []any{map[string]any{"id": "start", "type": "manual", "to": "n0"}}, "nodes": nodes, "edges": edges}
}
