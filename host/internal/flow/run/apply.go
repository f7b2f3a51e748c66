package run

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
)

// ErrNotThisFlow means that a state belongs to another version of the flow.
var ErrNotThisFlow = errors.New("the run is pinned to another version of the flow")

// Apply applies one event to a run of the program. The first event of a run is Started, on a State
// with only Run set. s is not changed. An error means that nothing happened because the event does
// not fit: a *flow.InvalidError for variables that the flow does not accept, ErrSeen for an answer
// that was applied before. Failures inside the run are part of the state instead.
func Apply(p *flow.Program, s State, e Event) (State, []Effect, error) {
	t := &transition{p: p, s: s.clone(), at: e.At}
	if e.Kind == Started {
		if s.Status == StatusQueued && s.Digest == p.Flow().Digest {
			e = s.unqueue(e.At)
			t.s = State{Run: s.Run}
		}
		if err := t.start(e); err != nil {
			return s, nil, err
		}
	} else {
		if s.Digest != p.Flow().Digest {
			return s, nil, fmt.Errorf("run %s: %w", s.Run, ErrNotThisFlow)
		}
		if err := t.apply(e); err != nil {
			return s, nil, err
		}
	}
	t.walk()
	if size := t.s.size(); size > maxState {
		t.undo(s, size)
	}
	t.finish()
	t.s.forget()
	return t.s, t.effects, nil
}

// transition is one Apply in progress.
type transition struct {
	p       *flow.Program
	s       State
	at      time.Time
	effects []Effect
	queue   []entry // nodes to enter, in order
}

// entry is a node about to be entered, and what led there.
type entry struct {
	node   string
	event  any
	err    any
	rounds map[string]int // of the branch; see Joining
	joined bool           // the branches it waited for have arrived
	input  map[string]any // of a call that is repeated; nil: it is evaluated
}

func (t *transition) emit(e Effect) { t.effects = append(t.effects, e) }

// start makes the state of a new run and queues its first node.
func (t *transition) start(e Event) error {
	if t.s.Digest != "" {
		return fmt.Errorf("run %s: it has already started", t.s.Run)
	}
	f := t.p.Flow()
	trigger, err := t.p.Trigger(e.Trigger)
	if err != nil {
		return err
	}
	vars, err := t.p.Variables(e.Trigger, flow.Scope{Run: t.s.Run, Event: e.Data}, e.Vars)
	if err != nil {
		return err
	}
	t.s = State{Run: t.s.Run, Flow: f.Metadata.ID, Version: f.Metadata.Version, Digest: f.Digest,
		Trigger: trigger.ID, Request: e.ID, Trial: e.Trial, Started: t.at, Status: StatusRunning, Vars: vars, Parent: e.Parent, Pins: e.Pins}
	t.emit(Trace{Kind: TraceRunStarted, Data: vars})
	t.queue = append(t.queue, entry{node: trigger.To, event: e.Data})
	return nil
}

// apply changes the state of a run that has started.
func (t *transition) apply(e Event) error {
	if t.s.Status == StatusQueued && e.Kind != Cancelled {
		return fmt.Errorf("run %s: it has not begun", t.s.Run)
	}
	switch e.Kind {
	case Succeeded:
		t.succeeded(e)
	case Failed:
		t.failed(e)
	case Begun:
		t.begun(e)
	case RetryDue:
		t.retryDue(e)
	case Answered:
		if t.s.Took(e.ID) {
			return fmt.Errorf("run %s: %w", t.s.Run, ErrSeen)
		}
		t.answered(e)
	case TimedOut:
		t.timedOut(e)
	case Cancelled:
		t.cancel(e.Reason)
	case Retried:
		return t.retried()
	case Resumed:
		return t.resumed(e.Visit)
	default:
		return fmt.Errorf("run %s: unknown event %q", t.s.Run, e.Kind)
	}
	return nil
}

// seen records that an answer was handled; an answer without an id is always new.
func (t *transition) seen(id string) {
	if id == "" {
		return
	}
	t.s.Seen = t.s.Seen.with(id)
}

// follow queues the nodes that a port of a visit leads to.
func (t *transition) follow(v *Visit, n *flow.CompiledNode, port string, event, err any) {
	for _, to := range n.Targets(port) {
		t.queue = append(t.queue, entry{node: to, event: event, err: err, rounds: v.Rounds})
	}
}

// walk enters the queued nodes until the queue is empty, and then the nodes with join all that no
// further branch can reach.
func (t *transition) walk() {
	for t.s.Status == StatusRunning {
		if len(t.queue) == 0 {
			next, ok := t.joined()
			if !ok {
				break
			}
			t.queue = append(t.queue, next)
		}
		next := t.queue[0]
		t.queue = t.queue[1:]
		t.enter(next)
	}
	t.queue = nil
}

func (t *transition) enter(e entry) {
	n := t.p.Node(e.node)
	if n.Join == flow.JoinAll && !e.joined {
		t.gather(n, e)
		return
	}
	if n.Join == flow.JoinAny && !e.joined && !t.pass(n, e) {
		return
	}
	if t.s.Count >= maxVisits {
		t.fail(n.ID, "visit_limit", fmt.Sprintf("the run entered %d nodes, which is the limit", maxVisits))
		return
	}
	t.s.Count++
	v := Visit{N: t.s.Count, Node: n.ID, Call: CallRunning, Attempt: 1, Event: e.event, Error: e.err, Rounds: e.rounds}
	if n.Join == flow.JoinAny {
		t.entered(n, &v)
	}
	with, err := e.input, error(nil)
	if with == nil {
		with, err = t.p.Input(n, t.scope(e))
	}
	started := Trace{Kind: TraceNodeStarted, Node: n.ID, Visit: v.N, Attempt: 1, Operation: n.Type}
	if err == nil {
		started.Data = with
		if n.Delays() {
			v.Call = CallDelayed
			v.Due, err = n.Due(with, t.at)
		}
	}
	t.emit(started)
	if err != nil {
		v.Call = CallDone
		t.s.Visits = append(t.s.Visits, v)
		t.broken(n, v.N, &sdk.Problem{Code: "expression_failed", HTTPStatus: 422, Message: err.Error(),
			Effect: sdk.EffectNone, Fault: sdk.FaultCaller})
		return
	}
	if v.Call == CallDelayed {
		t.s.Visits = append(t.s.Visits, v)
		return
	}
	if v.Input = with; n.Leaf() {
		v.Event, v.Error = nil, nil // no later node can ask for them
	}
	if n.Waits {
		v.Offered = n.Offered(with)
		v.Wait = WaitArmed
		v.Instance, _ = with["instance"].(string)
	}
	t.s.Visits = append(t.s.Visits, v)
	t.emit(call(t.s.Run, n, &v))
}

// scope is what the expressions of a node see.
func (t *transition) scope(e entry) flow.Scope {
	return flow.Scope{Run: t.s.Run, Vars: t.s.Vars, Outputs: t.s.Outputs, Event: e.event, Error: e.err}
}

// fail ends the run. The outcomes of calls that are still running are ignored.
func (t *transition) fail(node, code, message string) {
	t.s.Error, t.s.Failed = &Error{Node: node, Code: code, Message: message}, nil
	t.end(StatusFailed)
}

func (t *transition) cancel(reason string) {
	if t.s.Status == StatusCancelled {
		return
	}
	if reason == "" {
		reason = "cancelled"
	}
	t.s.Error = &Error{Code: "cancelled", Message: reason}
	t.end(StatusCancelled)
}

// end settles every wait and drops every call, including those of the current transition.
func (t *transition) end(status Status) {
	t.s.Status, t.s.Start = status, nil
	t.effects = slices.DeleteFunc(t.effects, func(e Effect) bool {
		_, call := e.(Execute)
		return call
	})
	for i := range t.s.Visits {
		v := &t.s.Visits[i]
		v.Call = CallDone
		if v.Wait == WaitArmed {
			t.settle(v, "")
		}
	}
	t.scatter()
	t.finished()
}

// settle ends a wait by a port; the empty port means that the run ended.
func (t *transition) settle(v *Visit, port string) {
	v.Wait, v.Port, v.At, v.Alarm, v.Said, v.Instance = WaitSettled, port, t.at, time.Time{}, nil, ""
}

// finish ends a run that has nothing pending.
func (t *transition) finish() {
	if t.s.Status == StatusRunning && t.s.open() == 0 {
		t.s.Status = StatusSucceeded
		t.finished()
	}
}

func (t *transition) finished() {
	tr := Trace{Kind: TraceRunFinished, Code: string(t.s.Status)}
	if t.s.Error != nil {
		tr.Node, tr.Message = t.s.Error.Node, t.s.Error.Message
	}
	t.emit(tr)
}

// undo restores the state before the event and fails the run, because the new state is too large to
// keep.
func (t *transition) undo(before State, size int) {
	trial := t.s.Trial
	*t = transition{p: t.p, s: before.clone(), at: t.at}
	t.s.Trial = trial
	if before.Digest == "" {
		f := t.p.Flow()
		t.s.Flow, t.s.Version, t.s.Digest = f.Metadata.ID, f.Metadata.Version, f.Digest
		t.s.Started = t.at
	}
	t.fail("", "state_limit", fmt.Sprintf("the run would hold %d bytes; the limit is %d", size, maxState))
}
