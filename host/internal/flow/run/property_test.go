package run_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// Whatever the order of clicks, timeouts, outcomes and repetitions, each wait leads on at most
// once, every branch that runs has a cause, and no call is made twice for the same attempt.
func TestAnyOrder(t *testing.T) {
	for _, late := range []string{"reject", "ignore", "restart"} {
		p, _, err := flow.Load(fmt.Appendf(nil, `
apiVersion: flow/v1
kind: Flow
metadata: {id: f}
triggers: [{id: start, type: manual, to: ask}]
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with: {instance: demo, number: "1", contentText: Menu, buttons: [{id: a, displayText: A}, {id: b, displayText: B}, {id: c, displayText: C}]}
    wait: {timeout: 5s, late: %s}
  - {id: a, type: whatsapp.sendText@1, with: {instance: demo, number: "1", contentText: A}}
  - {id: b, type: whatsapp.sendText@1, with: {instance: demo, number: "1", contentText: B}}
edges:
  - {from: "ask.reply:a", to: a}
  - {from: "ask.reply:b", to: b}
  - {from: "ask.reply:c", to: ask}
  - {from: ask.text, to: b}
  - {from: ask.timeout, to: a}
  - {from: ask.sent, to: b}
  - {from: ask.error, to: b}
`, late), flowtest.Catalogue(t))
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(60) {
			t.Run(fmt.Sprintf("%s/%d", late, seed), func(t *testing.T) { anyOrder(t, p, rand.New(rand.NewPCG(seed, 1))) }) //nolint:gosec // a test's seed
		}
	}
}

func anyOrder(t *testing.T, p *flow.Program, rnd *rand.Rand) {
	sc := newScript(t, p)
	sc.line("start")
	w := &witness{settled: map[int]int{}, called: map[string]int{}}
	nodes := []string{"ask", "a", "b"}
	lines := []func(node string) string{
		func(n string) string { return "ok " + n },
		func(n string) string { return "fail " + n + " busy retryable UNKNOWN" },
		func(n string) string { return "fail " + n + " broken" },
		func(n string) string { return "retry " + n },
		func(string) string { return fmt.Sprintf("after %ds", rnd.IntN(4)) },
	}
	for range 40 {
		node := nodes[rnd.IntN(len(nodes))]
		if n := len(sc.visits[node]); n > 0 {
			node += fmt.Sprintf("#%d", 1+rnd.IntN(n))
		}
		line := lines[rnd.IntN(len(lines))](node)
		if n := len(sc.visits["ask"]); rnd.IntN(2) == 0 {
			ask := fmt.Sprintf("ask#%d", 1+rnd.IntN(n))
			line = []string{"click " + ask + " a", "click " + ask + " b", "click " + ask + " c", "click " + ask + " forged",
				"text " + ask + " hello", "timeout " + ask}[rnd.IntN(6)]
			if rnd.IntN(3) == 0 && line[0] == 'c' {
				line += fmt.Sprintf(" e%d", rnd.IntN(4)) // repeated deliveries
			}
		}
		sc.seen = w.effect
		sc.line(line)
	}
	for visit, n := range w.settled {
		if n > 1 {
			t.Errorf("the wait of visit %d led on %d times\n%s", visit, n, sc.out.String())
		}
	}
	for call, n := range w.called {
		if n > 1 {
			t.Errorf("call %s was asked for %d times\n%s", call, n, sc.out.String())
		}
	}
	if w.branches > w.led {
		t.Errorf("%d branches ran, %d were led to\n%s", w.branches, w.led, sc.out.String())
	}
}

// witness counts events that must not happen twice.
type witness struct {
	settled       map[int]int    // times a visit's wait led on
	called        map[string]int // times an attempt was asked for
	led, branches int
}

func (w *witness) effect(x run.Effect) {
	switch x := x.(type) {
	case run.Execute:
		w.called[fmt.Sprintf("%s attempt %d", x.Key, x.Attempt)]++
		if x.Attempt == 1 {
			w.branches++
		}
	case run.Trace:
		switch x.Kind {
		case run.TraceWaitAnswered, run.TraceWaitTimeout:
			w.settled[x.Visit]++
			w.led++
		case run.TraceWaitRestarted: // allowed by the policy, one branch each
			w.led++
		case run.TraceNodeSucceeded, run.TraceNodeFailed:
			if x.Node == "ask" {
				w.led++ // by sent or error
			}
		}
	}
}
