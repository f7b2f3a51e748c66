package run

import (
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// PendingKind says what is pending.
type PendingKind string

// The kinds.
const (
	PendingCall    PendingKind = "call"    // its outcome comes back as Succeeded or Failed
	PendingRetry   PendingKind = "retry"   // RetryDue: a call is made again, or a delay ends
	PendingTimeout PendingKind = "timeout" // TimedOut
)

// Pending is one call, retry or timeout that the host still has to carry out for a run.
type Pending struct {
	Kind    PendingKind
	Node    string
	Visit   int
	Attempt int
	Due     time.Time // zero: at once
	// Ends says that a timeout ends its wait. Instance is the instance whose message the wait is
	// for.
	Ends     bool
	Instance string
}

// Pending returns the calls, retries and timeouts of the run that are pending. They follow from the
// state alone, so that a host that lost its tasks or was interrupted can create them again.
func (s *State) Pending() []Pending {
	if s.Status != StatusRunning {
		return nil
	}
	var out []Pending
	for _, v := range s.Visits {
		switch v.Call {
		case CallRunning:
			out = append(out, Pending{Kind: PendingCall, Node: v.Node, Visit: v.N, Attempt: v.Attempt})
		case CallRetrying, CallDelayed:
			out = append(out, Pending{Kind: PendingRetry, Node: v.Node, Visit: v.N, Attempt: v.Attempt, Due: v.Due})
		}
		if v.Wait == WaitArmed && !v.alarm().IsZero() {
			out = append(out, Pending{Kind: PendingTimeout, Node: v.Node, Visit: v.N, Due: v.alarm(), Ends: v.alarm().Equal(v.Deadline), Instance: v.Instance})
		}
	}
	return out
}

// Waiting is a visit that answers may belong to, in time or late.
type Waiting struct {
	Node  string
	Visit int
	// Correlation of the answers: run:node:visit.
	Correlation string
	// Deadline is zero until the message is sent, and is kept after the wait has ended.
	Deadline time.Time
}

// Waiting returns every visit of the run that answers may belong to, even before its message is
// sent.
func (s *State) Waiting() []Waiting {
	var out []Waiting
	for _, v := range s.Visits {
		if v.Wait != WaitNone {
			out = append(out, Waiting{v.Node, v.N, Key(s.Run, v.Node, v.N), v.Deadline})
		}
	}
	return out
}

// Call returns the call of a pending visit. ok is false if the call has an outcome, or belongs to
// another attempt. begun is Visit.Begun.
func (s *State) Call(p *flow.Program, visit, attempt int) (x Execute, begun, ok bool) {
	v := s.visit(visit)
	if v == nil || v.Call != CallRunning || v.Attempt != attempt {
		return Execute{}, false, false
	}
	return call(s.Run, p.Node(v.Node), v), v.Begun, true
}
