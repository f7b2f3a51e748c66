package flow

import (
	"fmt"
	"maps"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// calling finds the visit an outcome is about. An outcome of an earlier attempt,
// or of a run that is over, is nobody's.
func (st *step) calling(e Event, phase CallPhase) (*Visit, *node) {
	v := st.s.visit(e.Visit)
	if v == nil || v.Call != phase || v.Attempt != e.Attempt {
		return nil, nil
	}
	return v, st.p.nodes[v.Node]
}

func (st *step) succeeded(e Event) {
	v, n := st.calling(e, CallRunning)
	if v == nil {
		return
	}
	v.Call, v.Input = CallDone, nil
	if st.s.Outputs == nil {
		st.s.Outputs = map[string]any{}
	}
	st.s.Outputs[n.ID] = e.Data
	if out, ok := e.Data.(map[string]any); ok && n.op.Assigns {
		if st.s.Vars == nil {
			st.s.Vars = map[string]any{}
		}
		maps.Copy(st.s.Vars, out)
	}
	port := ""
	if n.op.Exit != "" {
		port, _ = fill(n.op.Exit, e.Data)
	}
	st.emit(Trace{Step: StepNodeSucceeded, Node: n.ID, Visit: v.N, Attempt: v.Attempt, Operation: n.Type, Port: port,
		Data: e.Data, Warnings: e.Warnings})
	if v.Wait == WaitArmed {
		v.Deadline = wholeSecond(st.at.Add(n.timeout))
		st.emit(Arm{Node: n.ID, Visit: v.N, Correlation: Key(st.s.Run, n.ID, v.N), Ports: v.Offered, Deadline: v.Deadline})
		st.emit(Trace{Step: StepWaitArmed, Node: n.ID, Visit: v.N, Operation: n.Type, Data: ports(v.Offered)})
	}
	if n.op.Exit != "" {
		st.follow(n, port, v.Event, nil)
		return
	}
	st.follow(n, PortSent, v.Event, nil)
	st.follow(n, PortOut, v.Event, nil)
}

// wholeSecond rounds up: durable timers fire on whole seconds.
func wholeSecond(t time.Time) time.Time {
	if r := t.Truncate(time.Second); r.Before(t) {
		return r.Add(time.Second)
	}
	return t
}

func ports(ids []string) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return out
}

func (st *step) failed(e Event) {
	v, n := st.calling(e, CallRunning)
	if v == nil {
		return
	}
	p := e.Problem
	if p == nil {
		p = &sdk.Problem{Code: "internal", Message: "the call failed without a reason", Effect: sdk.EffectUnknown, Fault: sdk.FaultNode}
	}
	if v.Wait == WaitSettled {
		// It was answered, so it had arrived: the failure is only about our knowledge.
		v.Call, v.Input = CallDone, nil
		st.emit(Trace{Step: StepNodeFailed, Node: n.ID, Visit: v.N, Attempt: v.Attempt, Operation: n.Type, Code: p.Code,
			Message: p.Message + " (but it was answered)"})
		return
	}
	if due, again := n.retry(p, v.Attempt, st.at); again {
		st.emit(Trace{Step: StepNodeRetry, Node: n.ID, Visit: v.N, Attempt: v.Attempt, Operation: n.Type, Code: p.Code,
			Message: fmt.Sprintf("%s; again in %s", p.Message, due.Sub(st.at))})
		v.Call, v.Attempt = CallRetrying, v.Attempt+1
		st.emit(Later{Visit: v.N, Attempt: v.Attempt, Due: due})
		return
	}
	v.Call = CallDone
	st.broken(n, v.N, p)
}

// broken leaves a visit by its error port, or fails the run.
func (st *step) broken(n *node, visit int, p *sdk.Problem) {
	v := st.s.visit(visit)
	v.Input = nil
	if v.Wait == WaitArmed {
		st.settle(v, PortError)
	}
	st.emit(Trace{Step: StepNodeFailed, Node: n.ID, Visit: v.N, Attempt: v.Attempt, Operation: n.Type, Code: p.Code, Message: p.Message})
	if len(n.targets(PortError)) == 0 {
		st.fail(n.ID, p.Code, p.Message)
		return
	}
	st.follow(n, PortError, v.Event, map[string]any{"code": p.Code, "message": p.Message, "httpStatus": p.HTTPStatus, "node": n.ID})
}

// retry says when to try again, if at all: attempts must be left, the problem
// must be one that passes, and the effect must be none or repeatable.
func (n *node) retry(p *sdk.Problem, attempt int, now time.Time) (time.Time, bool) {
	if !p.Retryable || attempt >= n.Retry.Max {
		return time.Time{}, false
	}
	repeatable := n.op.Replay == sdk.Pure || n.op.Replay == sdk.Keyed
	if p.Effect != sdk.EffectNone && !repeatable {
		return time.Time{}, false
	}
	pause := time.Duration(n.Retry.Initial)
	if n.Retry.Backoff != "constant" {
		for range attempt - 1 {
			pause = min(2*pause, MaxPause)
		}
	}
	return now.Add(min(max(pause, p.RetryAfter), MaxPause)), true
}

func (st *step) retryDue(e Event) {
	v, n := st.calling(e, CallRetrying)
	if v == nil {
		return
	}
	if v.Wait == WaitSettled { // answered meanwhile: it had arrived
		v.Call, v.Input = CallDone, nil
		return
	}
	v.Call = CallRunning
	st.emit(Trace{Step: StepNodeStarted, Node: n.ID, Visit: v.N, Attempt: v.Attempt, Operation: n.Type, Data: v.Input})
	st.emit(n.call(st.s.Run, v))
}

// call is the Execute of a visit whose call is running.
func (n *node) call(run string, v *Visit) Execute {
	e := Execute{Node: n.ID, Visit: v.N, Attempt: v.Attempt, Operation: n.Type, Input: v.Input,
		Key: Key(run, n.ID, v.N), Deadline: time.Duration(n.Deadline)}
	if v.Wait != WaitNone {
		e.Correlation = e.Key
	}
	return e
}

// Call is the Execute that Step asked for and that has no outcome yet: a host
// that was interrupted carries on from the state alone.
func (p *Program) Call(s State, visit, attempt int) (Execute, bool) {
	v := s.visit(visit)
	if v == nil || v.Call != CallRunning || v.Attempt != attempt {
		return Execute{}, false
	}
	return p.nodes[v.Node].call(s.Run, v), true
}
