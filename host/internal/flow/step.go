package flow

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// ErrNotThisFlow means that a state belongs to another version of the flow.
var ErrNotThisFlow = errors.New("the run is pinned to another version of the flow")

// Step applies one event. The first event of a run is Started, on a State with
// only Run set. s is not changed. An error means that the event does not fit
// (an *InvalidError for variables the flow does not take, ErrSeen for an answer
// that was applied before) and nothing happened;
// failures inside the run are part of the state instead.
func (p *Program) Step(s State, e Event) (State, []Effect, error) {
	st := &step{p: p, s: s.clone(), at: e.At}
	if e.Kind == Started {
		if err := st.start(e); err != nil {
			return s, nil, err
		}
	} else {
		if s.Digest != p.flow.Digest {
			return s, nil, fmt.Errorf("run %s: %w", s.Run, ErrNotThisFlow)
		}
		if err := st.apply(e); err != nil {
			return s, nil, err
		}
	}
	st.walk()
	if size := st.s.size(); size > MaxState {
		st.undo(s, size)
	}
	st.finish()
	st.s.forget()
	return st.s, st.effects, nil
}

// step is one Step in progress.
type step struct {
	p       *Program
	s       State
	at      time.Time
	effects []Effect
	queue   []entry // nodes to enter, in order
}

// entry is a node about to be entered, and what led there.
type entry struct {
	node  string
	event any
	err   any
}

func (st *step) emit(e Effect) { st.effects = append(st.effects, e) }

func (st *step) apply(e Event) error {
	switch e.Kind {
	case Succeeded:
		st.succeeded(e)
	case Failed:
		st.failed(e)
	case RetryDue:
		st.retryDue(e)
	case Answered:
		if e.ID != "" && slices.Contains(st.s.Seen, e.ID) {
			return fmt.Errorf("run %s: %w", st.s.Run, ErrSeen)
		}
		st.answered(e)
	case TimedOut:
		st.timedOut(e)
	case Cancelled:
		st.cancel(e.Reason)
	default:
		return fmt.Errorf("run %s: unknown event %q", st.s.Run, e.Kind)
	}
	return nil
}

// seen notes that an answer was dealt with; one without an id is always new.
func (st *step) seen(id string) {
	if id == "" {
		return
	}
	st.s.Seen = append(st.s.Seen, id)
	if over := len(st.s.Seen) - keepSeen; over > 0 {
		st.s.Seen = slices.Delete(st.s.Seen, 0, over)
	}
}

// follow queues the nodes behind a port.
func (st *step) follow(n *node, port string, event, err any) {
	for _, to := range n.targets(port) {
		st.queue = append(st.queue, entry{to, event, err})
	}
}

// walk enters the queued nodes until all calls are asked for.
func (st *step) walk() {
	for len(st.queue) > 0 && st.s.Status == StatusRunning {
		next := st.queue[0]
		st.queue = st.queue[1:]
		st.enter(next)
	}
	st.queue = nil
}

func (st *step) enter(e entry) {
	n := st.p.nodes[e.node]
	if st.s.Count >= MaxVisits {
		st.fail(n.ID, "visit_limit", fmt.Sprintf("the run entered %d nodes, which is the limit", MaxVisits))
		return
	}
	st.s.Count++
	v := Visit{N: st.s.Count, Node: n.ID, Call: CallRunning, Attempt: 1, Event: e.event, Error: e.err}
	with, err := n.input.eval(st.scope(e))
	if err != nil {
		v.Call = CallDone
		st.s.Visits = append(st.s.Visits, v)
		st.emit(Trace{Step: StepNodeStarted, Node: n.ID, Visit: v.N, Attempt: 1, Operation: n.Type})
		st.broken(n, v.N, &sdk.Problem{Code: "expression_failed", HTTPStatus: 422, Message: err.Error(),
			Effect: sdk.EffectNone, Fault: sdk.FaultCaller})
		return
	}
	v.Input, _ = with.(map[string]any)
	st.emit(Trace{Step: StepNodeStarted, Node: n.ID, Visit: v.N, Attempt: 1, Operation: n.Type, Data: with})
	if n.waits {
		_, v.Offered, _ = n.op.ports(with)
		v.Wait = WaitArmed
		st.emit(Arm{Node: n.ID, Visit: v.N, Correlation: Key(st.s.Run, n.ID, v.N), Ports: v.Offered})
	}
	st.s.Visits = append(st.s.Visits, v)
	st.emit(n.call(st.s.Run, &v))
}

// scope is what the expressions of a node see.
func (st *step) scope(e entry) scope {
	return scope{
		"vars":    orEmpty(st.s.Vars),
		"nodes":   orEmpty(st.s.Outputs),
		"event":   e.event,
		"error":   e.err,
		"run":     map[string]any{"id": st.s.Run, "flow": st.s.Flow, "version": st.s.Version},
		meterName: meter(),
	}
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// fail ends the run. Calls still running are no longer listened to.
func (st *step) fail(node, code, message string) {
	st.s.Error = &RunError{Node: node, Code: code, Message: message}
	st.end(StatusFailed)
}

func (st *step) cancel(reason string) {
	if st.s.Status == StatusCancelled {
		return
	}
	if reason == "" {
		reason = "cancelled"
	}
	st.s.Error = &RunError{Code: "cancelled", Message: reason}
	st.end(StatusCancelled)
}

// end settles every wait and drops every call, also those of this very step.
func (st *step) end(status Status) {
	st.s.Status = status
	st.effects = slices.DeleteFunc(st.effects, func(e Effect) bool {
		switch e.(type) {
		case Execute, Later:
			return true
		}
		return false
	})
	for i := range st.s.Visits {
		v := &st.s.Visits[i]
		v.Call = CallDone
		if v.Wait == WaitArmed {
			st.settle(v, "")
		}
	}
	st.finished()
}

// settle ends a wait by a port; the empty port means that the run ended.
func (st *step) settle(v *Visit, port string) {
	v.Wait, v.Port, v.At = WaitSettled, port, st.at
	st.emit(Disarm{Visit: v.N, Correlation: Key(st.s.Run, v.Node, v.N)})
}

// finish ends a run that has nothing left to happen by itself.
func (st *step) finish() {
	if st.s.Status == StatusRunning && st.s.open() == 0 {
		st.s.Status = StatusSucceeded
		st.finished()
	}
}

func (st *step) finished() {
	tr := Trace{Step: StepRunFinished, Code: string(st.s.Status)}
	if st.s.Error != nil {
		tr.Node, tr.Message = st.s.Error.Node, st.s.Error.Message
	}
	st.emit(tr)
	st.emit(Finish{Status: st.s.Status, Error: st.s.Error})
}

// undo goes back to before the step and fails the run, because what the step
// did is too large to keep.
func (st *step) undo(before State, size int) {
	*st = step{p: st.p, s: before.clone(), at: st.at}
	if before.Digest == "" {
		st.s.Flow, st.s.Version, st.s.Digest = st.p.flow.Metadata.ID, st.p.flow.Metadata.Version, st.p.flow.Digest
		st.s.Started = st.at
	}
	st.fail("", "state_limit", fmt.Sprintf("the run would hold %d bytes; the limit is %d", size, MaxState))
}
