package run

import (
	"fmt"
	"hash/fnv"
	"maps"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
)

// calling returns the visit that an outcome belongs to; nil for an outcome of an earlier attempt,
// or of a run that has ended.
func (t *transition) calling(e Event, phase CallPhase) (*Visit, *flow.CompiledNode) {
	v := t.s.visit(e.Visit)
	if v == nil || v.Call != phase || v.Attempt != e.Attempt {
		return nil, nil
	}
	return v, t.p.Node(v.Node)
}

func (t *transition) succeeded(e Event) {
	if v, n := t.calling(e, CallRunning); v != nil {
		t.done(v, n, e)
	}
}

// done completes a visit whose call has succeeded, or whose delay has ended.
func (t *transition) done(v *Visit, n *flow.CompiledNode, e Event) {
	v.Call, v.Input = CallDone, nil
	if t.s.Outputs == nil {
		t.s.Outputs = map[string]any{}
	}
	t.s.Outputs[n.ID] = e.Data
	if out, ok := e.Data.(map[string]any); ok && n.Operation().Assigns {
		if t.s.Vars == nil {
			t.s.Vars = map[string]any{}
		}
		maps.Copy(t.s.Vars, out)
	}
	port, chosen := n.Exit(e.Data)
	t.emit(Trace{Kind: TraceNodeSucceeded, Node: n.ID, Visit: v.N, Attempt: v.Attempt, Operation: n.Type, Port: port,
		Data: e.Data, Warnings: e.Warnings})
	if v.Wait == WaitArmed {
		v.Deadline = wholeSecond(t.at.Add(n.Timeout))
		if v.Said == nil {
			v.setAlarm(n, t.at)
		}
		t.emit(Trace{Kind: TraceWaitArmed, Node: n.ID, Visit: v.N, Operation: n.Type, Data: ports(v.Offered)})
	}
	if chosen {
		t.follow(v, n, port, v.Event, nil)
		return
	}
	t.follow(v, n, flow.PortSent, v.Event, nil)
	t.follow(v, n, flow.PortOut, v.Event, nil)
}

func ports(ids []string) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return out
}

// begun records that a call is about to be made, for calls that must not be made twice.
func (t *transition) begun(e Event) {
	if v, _ := t.calling(e, CallRunning); v != nil {
		v.Begun = true
	}
}

func (t *transition) failed(e Event) {
	v, n := t.calling(e, CallRunning)
	if v == nil {
		return
	}
	p := e.Problem
	if p == nil {
		p = &sdk.Problem{Code: "internal", Message: "the call failed without a reason", Effect: sdk.EffectUnknown, Fault: sdk.FaultNode}
	}
	if v.Wait == WaitSettled || v.Said != nil {
		// An answer proves that the message arrived: the call only failed to report it.
		v.Call, v.Input = CallDone, nil
		t.emit(Trace{Kind: TraceNodeFailed, Node: n.ID, Visit: v.N, Attempt: v.Attempt, Operation: n.Type, Code: p.Code,
			Message: p.Message + " (but it was answered)"})
		return
	}
	if due, again := t.retry(n, v, p); again {
		t.emit(Trace{Kind: TraceNodeRetry, Node: n.ID, Visit: v.N, Attempt: v.Attempt, Operation: n.Type, Code: p.Code,
			Message: fmt.Sprintf("%s; again in %s", p.Message, flow.Span(due.Sub(t.at)))})
		v.Call, v.Attempt, v.Begun, v.Due = CallRetrying, v.Attempt+1, false, due
		return
	}
	v.Call = CallDone
	t.broken(n, v.N, p)
}

// broken leaves a visit by its error port, or fails the run.
func (t *transition) broken(n *flow.CompiledNode, visit int, p *sdk.Problem) {
	v := t.s.visit(visit)
	was := *v
	v.Input = nil
	if v.Wait == WaitArmed {
		t.settle(v, flow.PortError)
	}
	t.emit(Trace{Kind: TraceNodeFailed, Node: n.ID, Visit: v.N, Attempt: v.Attempt, Operation: n.Type, Code: p.Code, Message: p.Message})
	if len(n.Targets(flow.PortError)) == 0 {
		t.fail(n.ID, p.Code, p.Message)
		t.s.Failed = &Failure{was, p.Effect}
		return
	}
	t.follow(v, n, flow.PortError, v.Event, map[string]any{"code": p.Code, "message": p.Message, "httpStatus": p.HTTPStatus, "node": n.ID})
}

// retry returns when to try again, if at all: an attempt must be left, the problem must be
// retryable, and the effect must be none or repeatable. The pause is up to a fifth longer than
// requested, by an amount that differs for each run and attempt, so that calls which failed
// together are not retried together, and retries do not fall into step with a recurring outage.
func (t *transition) retry(n *flow.CompiledNode, v *Visit, p *sdk.Problem) (time.Time, bool) {
	if !p.Retryable || v.Attempt >= n.Retry.Max {
		return time.Time{}, false
	}
	replay := n.Replay(v.Input)
	repeatable := replay == sdk.Pure || replay == sdk.Keyed
	if p.Effect != sdk.EffectNone && !repeatable {
		return time.Time{}, false
	}
	pause := time.Duration(n.Retry.Initial)
	if n.Retry.Backoff != "constant" {
		for range v.Attempt - 1 {
			pause = min(2*pause, flow.MaxPause)
		}
	}
	pause = max(pause, p.RetryAfter)
	h := fnv.New64a()
	fmt.Fprint(h, t.s.Run, v.N, v.Attempt)
	pause += time.Duration(float64(pause) / 5 * float64(h.Sum64()>>11) / (1 << 53))
	return t.at.Add(min(pause, flow.MaxPause).Round(time.Millisecond)), true
}

func (t *transition) retryDue(e Event) {
	if v, n := t.calling(e, CallDelayed); v != nil && !t.at.Before(v.Due) {
		until := v.Due.UTC().Format(time.RFC3339)
		v.Due = time.Time{}
		t.done(v, n, Event{Data: map[string]any{"until": until}})
		return
	}
	v, n := t.calling(e, CallRetrying)
	if v == nil {
		return
	}
	if v.Wait == WaitSettled { // answered meanwhile, so the message arrived
		v.Call, v.Input = CallDone, nil
		return
	}
	v.Call, v.Due = CallRunning, time.Time{}
	t.emit(Trace{Kind: TraceNodeStarted, Node: n.ID, Visit: v.N, Attempt: v.Attempt, Operation: n.Type, Data: v.Input})
	t.emit(call(t.s.Run, n, v))
}

// call returns the Execute of a visit whose call is running.
func call(run string, n *flow.CompiledNode, v *Visit) Execute {
	e := Execute{Node: n.ID, Visit: v.N, Attempt: v.Attempt, Operation: n.Type, Input: v.Input,
		Key: Key(run, n.ID, v.N), Deadline: time.Duration(n.Deadline)}
	if v.Wait != WaitNone {
		e.Correlation = e.Key
	}
	return e
}
