package flow

import (
	"slices"
	"time"
)

// doubleTap is how soon the same choice on a settled wait counts as the same
// tap of an impatient finger, not as a wish to go that way again.
const doubleTap = 10 * time.Second

// answered takes an event that belongs to a message of this run: a click, or
// words written instead. The port comes from the event; whether the message
// offered that port comes from our own record of it, never from the event.
func (st *step) answered(e Event) {
	v := st.s.visit(e.Visit)
	if v == nil || v.Wait == WaitNone {
		st.emit(Trace{Step: StepWaitRefused, Visit: e.Visit, Code: "forgotten", Data: e.Data,
			Message: "the run no longer remembers this wait"})
		st.emit(Decline{Reason: "forgotten"})
		return
	}
	n := st.p.nodes[v.Node]
	port, _ := fill(n.op.answers[e.Type], e.Data)
	choice := slices.Contains(v.Offered, port)
	switch {
	case !choice && n.op.static(port) && n.op.byAnswer(port):
		st.words(v, n, port, e)
		return
	case !choice:
		st.refuse(v, port, "not_offered", "the message did not offer this", e)
	case v.Wait == WaitArmed:
		st.take(v, n, port, e)
	default:
		st.late(v, n, port, e)
	}
	st.seen(e.ID)
}

// words takes an answer that was no choice of the message, such as typed text.
// It only counts while the wait stands and if the flow has an edge for it.
func (st *step) words(v *Visit, n *node, port string, e Event) {
	if v.Wait != WaitArmed || len(n.targets(port)) == 0 {
		st.emit(Decline{Reason: "no_edge"})
		return
	}
	st.seen(e.ID)
	st.take(v, n, port, e)
}

func (st *step) take(v *Visit, n *node, port string, e Event) {
	st.settle(v, port)
	if v.Call == CallRetrying { // answered, so it had arrived
		v.Call, v.Input = CallDone, nil
	}
	st.emit(Trace{Step: StepWaitAnswered, Node: n.ID, Visit: v.N, Operation: n.Type, Port: port, Data: e.Data})
	st.follow(n, port, e.Data, nil)
}

// late takes a choice whose wait has ended, by the flow's policy.
func (st *step) late(v *Visit, n *node, port string, e Event) {
	switch {
	case st.s.Status == StatusCancelled:
		st.refuse(v, port, "cancelled", "the run was cancelled", e)
	case n.late == LateIgnore:
		st.emit(Trace{Step: StepWaitIgnored, Node: n.ID, Visit: v.N, Operation: n.Type, Port: port, Data: e.Data})
	case n.late == LateReject:
		st.refuse(v, port, "late", "the wait had ended", e)
	case v.Port == port && st.at.Sub(v.At) < doubleTap:
		st.refuse(v, port, "repeated", "the same choice again at once", e)
	default:
		if st.s.Status != StatusRunning {
			st.s.Status, st.s.Error = StatusRunning, nil
			st.emit(Trace{Step: StepRunReopened})
		}
		v.Port, v.At = port, st.at
		st.emit(Trace{Step: StepWaitRestarted, Node: n.ID, Visit: v.N, Operation: n.Type, Port: port, Data: e.Data})
		st.follow(n, port, e.Data, nil)
	}
}

func (st *step) refuse(v *Visit, port, code, message string, e Event) {
	st.emit(Trace{Step: StepWaitRefused, Node: v.Node, Visit: v.N, Port: port, Code: code, Message: message, Data: e.Data})
}

func (st *step) timedOut(e Event) {
	v := st.s.visit(e.Visit)
	if v == nil || v.Wait != WaitArmed || v.Deadline.IsZero() {
		return
	}
	n := st.p.nodes[v.Node]
	if st.at.Before(v.Deadline) { // a timer that fired early
		st.emit(Arm{Node: n.ID, Visit: v.N, Correlation: Key(st.s.Run, n.ID, v.N), Ports: v.Offered, Deadline: v.Deadline})
		return
	}
	st.settle(v, PortTimeout)
	st.emit(Trace{Step: StepWaitTimeout, Node: n.ID, Visit: v.N, Operation: n.Type, Port: PortTimeout})
	st.follow(n, PortTimeout, v.Event, nil)
}
