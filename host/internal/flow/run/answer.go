package run

import (
	"slices"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// doubleTap is the time within which the same choice on a settled wait counts as a repeated tap,
// not as a wish to take that path again.
const doubleTap = 10 * time.Second

// answered handles an event that belongs to a message of this run: a click, or words written
// instead. The port comes from the event; whether the message offered that port comes from the
// visit's own record, never from the event.
func (t *transition) answered(e Event) {
	v := t.s.visit(e.Visit)
	if v == nil || v.Wait == WaitNone {
		t.emit(Trace{Kind: TraceWaitRefused, Visit: e.Visit, Code: "forgotten", Data: e.Data,
			Message: "the run no longer remembers this wait"})
		t.emit(Decline{Reason: "forgotten"})
		return
	}
	n := t.p.Node(v.Node)
	port := n.AnswerPort(e.Type, e.Data)
	choice := slices.Contains(v.Offered, port)
	switch {
	case !choice && n.TakesWords(port):
		t.words(v, n, port, e)
		return
	case !choice:
		t.refuse(v, port, "not_offered", "the message did not offer this", e)
	case v.Wait == WaitArmed:
		t.take(v, n, port, e)
	default:
		t.late(v, n, port, e)
	}
	t.seen(e.ID)
}

// words handles an answer other than an offered choice, such as typed text. It counts only while
// the wait is armed, and if the flow has an edge for it.
func (t *transition) words(v *Visit, n *flow.CompiledNode, port string, e Event) {
	if v.Wait != WaitArmed || len(n.Targets(port)) == 0 {
		t.emit(Decline{Reason: "no_edge"})
		return
	}
	t.seen(e.ID)
	if n.Collect > 0 {
		t.collect(v, n, port, e)
		return
	}
	t.take(v, n, port, e)
}

func (t *transition) take(v *Visit, n *flow.CompiledNode, port string, e Event) {
	t.settle(v, port)
	if v.Call == CallRetrying { // an answer proves that the message arrived
		v.Call, v.Input = CallDone, nil
	}
	t.emit(Trace{Kind: TraceWaitAnswered, Node: n.ID, Visit: v.N, Operation: n.Type, Port: port, Data: e.Data})
	t.follow(v, n, port, e.Data, nil)
}

// late handles a choice whose wait has ended, by the late policy of the node. This includes a
// choice that was made in time but arrived after the timeout was taken, because only one port is
// the first.
func (t *transition) late(v *Visit, n *flow.CompiledNode, port string, e Event) {
	switch {
	case t.s.Status == StatusCancelled:
		t.refuse(v, port, "cancelled", "the run was cancelled", e)
	case n.Late == flow.LateIgnore:
		t.emit(Trace{Kind: TraceWaitIgnored, Node: n.ID, Visit: v.N, Operation: n.Type, Port: port, Data: e.Data})
	case n.Late == flow.LateReject:
		t.refuse(v, port, "late", "the wait had ended", e)
	case v.Port == port && t.at.Sub(v.At) < doubleTap:
		t.refuse(v, port, "repeated", "the same choice again at once", e)
	default:
		t.reopen(v, n, port, e)
	}
}

// reopen follows a choice's edge although the wait has ended.
func (t *transition) reopen(v *Visit, n *flow.CompiledNode, port string, e Event) {
	if t.s.Status != StatusRunning {
		t.s.Status, t.s.Error = StatusRunning, nil
		t.emit(Trace{Kind: TraceRunReopened})
	}
	v.Port, v.At, v.Rounds = port, t.at, t.rounds() // a new branch
	t.emit(Trace{Kind: TraceWaitRestarted, Node: n.ID, Visit: v.N, Operation: n.Type, Port: port, Data: e.Data})
	t.follow(v, n, port, e.Data, nil)
}

func (t *transition) refuse(v *Visit, port, code, message string, e Event) {
	t.emit(Trace{Kind: TraceWaitRefused, Node: v.Node, Visit: v.N, Port: port, Code: code, Message: message, Data: e.Data})
}
