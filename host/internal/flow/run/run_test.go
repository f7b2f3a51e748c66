package run_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/sdk"
)

// script drives a run line by line:
//
//	start [var=value…]            the manual trigger
//	ok NODE[#n] [JSON]            the n-th call of the node succeeds (default: its last)
//	fail NODE[#n] CODE [retryable] [NONE|UNKNOWN|DONE]
//	click NODE[#n] BUTTON [id]    an answer to that visit
//	text NODE[#n] WORD [id]
//	timeout NODE[#n], retry NODE[#n], cancel
//	again, resume [NODE[#n]]      a person repairs the run
//	after DURATION                time passes
//	begun NODE[#n]                the call is about to be made
type script struct {
	t      *testing.T
	p      *flow.Program
	s      run.State
	now    time.Time
	visits map[string][]int // of each node
	calls  map[int]run.Execute
	seen   func(run.Effect) // may be nil
	out    strings.Builder
}

func newScript(t *testing.T, p *flow.Program) *script {
	return &script{t: t, p: p, s: run.State{Run: "r1"}, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC),
		visits: map[string][]int{}, calls: map[int]run.Execute{}}
}

func (sc *script) line(line string) {
	f := strings.Fields(line)
	arg := func(i int) string {
		if i < len(f) {
			return f[i]
		}
		return ""
	}
	visit := sc.visit(arg(1))
	e := run.Event{Visit: visit, Attempt: sc.calls[visit].Attempt}
	switch f[0] {
	case "after":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			sc.t.Fatal(err)
		}
		sc.now = sc.now.Add(d)
		fmt.Fprintf(&sc.out, "> %s\n", line)
		return
	case "start":
		e.Kind, e.Trigger = run.Started, "start"
		vars := map[string]string{}
		for _, kv := range f[1:] {
			k, v, _ := strings.Cut(kv, "=")
			vars[k] = v
		}
		e.Vars = sc.p.Flow().ParseVars(vars)
	case "ok":
		e.Kind, e.Data = run.Succeeded, map[string]any{"messageId": fmt.Sprintf("M%d", visit)}
		if arg(2) != "" {
			var err error
			if e.Data, err = flow.DecodeJSON([]byte(arg(2))); err != nil {
				sc.t.Fatal(err)
			}
		}
	case "fail":
		e.Kind, e.Problem = run.Failed, &sdk.Problem{Code: arg(2), Message: "it did not work", HTTPStatus: 500,
			Retryable: strings.Contains(line, "retryable"), Effect: sdk.EffectNone}
		for _, x := range []sdk.Effect{sdk.EffectUnknown, sdk.EffectDone} {
			if strings.Contains(line, string(x)) {
				e.Problem.Effect = x
			}
		}
	case "click":
		e.Kind, e.Type, e.ID = run.Answered, "whatsapp.button.clicked.v1", arg(3)
		e.Data = map[string]any{"button": map[string]any{"id": arg(2), "displayText": "Label of " + arg(2)},
			"chat": map[string]any{"jid": "chat"}, "menu": map[string]any{"messageId": fmt.Sprintf("M%d", visit)}}
	case "text":
		e.Kind, e.Type, e.ID = run.Answered, "whatsapp.message.received.v1", arg(3)
		e.Data = map[string]any{"text": arg(2), "chat": map[string]any{"jid": "chat"}}
	case "begun":
		e.Kind = run.Begun
	case "timeout":
		e.Kind = run.TimedOut
	case "retry":
		e.Kind = run.RetryDue
		for _, next := range sc.s.Pending() {
			if next.Kind == run.PendingRetry && next.Visit == visit {
				e.Attempt = next.Attempt
			}
		}
	case "cancel":
		e.Kind = run.Cancelled
	case "again":
		e.Kind = run.Retried
	case "resume":
		e.Kind = run.Resumed
	default:
		sc.t.Fatalf("unknown line %q", line)
	}
	fmt.Fprintf(&sc.out, "> %s\n", line)
	sc.step(e)
}

// visit parses NODE or NODE#n.
func (sc *script) visit(arg string) int {
	node, nth, ok := strings.Cut(arg, "#")
	all := sc.visits[node]
	if len(all) == 0 {
		return 0
	}
	n := len(all)
	if ok {
		var err error
		if n, err = strconv.Atoi(nth); err != nil || n > len(all) {
			sc.t.Fatalf("%s: there is no such visit", arg)
		}
	}
	return all[n-1]
}

// step applies an event twice, to the state and to its round trip through JSON: the results must be
// equal.
func (sc *script) step(e run.Event) {
	e.At = sc.now
	before := mustJSON(sc.t, sc.s)
	var stored run.State
	if err := json.Unmarshal(before, &stored); err != nil {
		sc.t.Fatal(err)
	}
	s, effects, err := run.Apply(sc.p, sc.s, e)
	s2, effects2, err2 := run.Apply(sc.p, stored, e)
	if diff := cmp.Diff(effects, effects2); diff != "" || fmt.Sprint(err) != fmt.Sprint(err2) {
		sc.t.Errorf("the step differs after a round trip through JSON: %v, %v\n%s", err, err2, diff)
	}
	if diff := cmp.Diff(string(mustJSON(sc.t, s)), string(mustJSON(sc.t, s2))); diff != "" {
		sc.t.Errorf("the state differs after a round trip through JSON:\n%s", diff)
	}
	if err == nil && string(before) != string(mustJSON(sc.t, sc.s)) {
		sc.t.Errorf("the step changed the state it was given")
	}
	if err != nil {
		fmt.Fprintf(&sc.out, "error: %v\n", err)
		return
	}
	was := pending(sc.s, sc.now)
	sc.s = s
	for _, x := range effects {
		sc.note(x)
		fmt.Fprintln(&sc.out, describe(x))
	}
	is := pending(sc.s, sc.now)
	for _, line := range was {
		if !slices.Contains(is, line) {
			fmt.Fprintln(&sc.out, "  -", line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			fmt.Fprintln(&sc.out, "  +", line)
		}
	}
}

// pending lists the pending calls, retries and timeouts of a run, and the waits that answers may
// belong to.
func pending(s run.State, now time.Time) (lines []string) {
	for _, next := range s.Pending() {
		line := fmt.Sprintf("%s of %s visit %d", next.Kind, next.Node, next.Visit)
		if next.Attempt > 0 {
			line += fmt.Sprintf(" attempt %d", next.Attempt)
		}
		if !next.Due.IsZero() {
			line += fmt.Sprintf(" in %s", next.Due.Sub(now))
		}
		lines = append(lines, line)
	}
	for _, w := range s.Waiting() {
		lines = append(lines, "answers to "+w.Correlation)
	}
	return lines
}

func (sc *script) note(x run.Effect) {
	if sc.seen != nil {
		sc.seen(x)
	}
	switch x := x.(type) {
	case run.Execute:
		sc.calls[x.Visit] = x
	case run.Trace:
		if x.Kind == run.TraceNodeStarted && x.Attempt == 1 {
			sc.visits[x.Node] = append(sc.visits[x.Node], x.Visit)
		}
	}
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// describe returns an effect on one line.
func describe(x run.Effect) string {
	switch x := x.(type) {
	case run.Execute:
		in, _ := json.Marshal(x.Input) // plain data
		return fmt.Sprintf("  execute %s attempt %d %s correlation=%q %s", x.Key, x.Attempt, x.Operation, x.Correlation, in)
	case run.Decline:
		return "  decline " + x.Reason
	case run.Trace:
		s := "  | " + string(x.Kind)
		for _, v := range []string{x.Node, x.Port, x.Code, x.Message} {
			if v != "" {
				s += " " + v
			}
		}
		return s
	default:
		return fmt.Sprintf("  %#v", x)
	}
}

func TestRuns(t *testing.T) {
	cat := flowtest.Catalogue(t)
	flowtest.Golden(t, "runs", func(t *testing.T, parts map[string]string) string {
		p, _, err := flow.Load([]byte(parts["flow"]), cat)
		if err != nil {
			t.Fatal(err)
		}
		sc := newScript(t, p)
		for lines := bufio.NewScanner(strings.NewReader(parts["events"])); lines.Scan(); {
			if lines.Text() != "" {
				sc.line(lines.Text())
			}
		}
		return sc.out.String()
	})
}
