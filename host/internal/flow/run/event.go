package run

import (
	"errors"
	"strconv"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// EventKind says what happened to a run.
type EventKind string

// The kinds, and which fields of Event they use in addition to At.
const (
	Started   EventKind = "started"   // ID (of the request, kept as State.Request), Trigger, Trial, Vars, Data, Parent, Pins
	Succeeded EventKind = "succeeded" // Visit, Attempt, Data (the output), Warnings
	Failed    EventKind = "failed"    // Visit, Attempt, Problem
	Begun     EventKind = "begun"     // Visit, Attempt: the call is about to be made
	RetryDue  EventKind = "retryDue"  // Visit, Attempt
	Answered  EventKind = "answered"  // ID, Visit, Type, Data
	TimedOut  EventKind = "timedOut"  // Visit
	Cancelled EventKind = "cancelled" // Reason
)

// ErrSeen means that an answer with this id was applied before.
var ErrSeen = errors.New("the answer was applied before")

// Event is one thing that happened. Its values have the types that flow.DecodeJSON returns.
type Event struct {
	Kind     EventKind
	ID       string
	At       time.Time // by the clock of the host
	Trigger  string
	Trial    bool // see State
	Vars     map[string]any
	Parent   *Parent           // of a run that another run started
	Pins     map[string]string // digests of the flows that its steps run, by id
	Visit    int
	Attempt  int
	Type     string
	Data     any
	Warnings []sdk.Warning
	Problem  *sdk.Problem
	Reason   string
}

// Effect is something the host has to do, in the order given, after it has
// stored the state. It is one of the types below.
type Effect interface{ effect() }

// Execute asks for a call. Its outcome comes back as Succeeded or Failed with
// the same Visit and Attempt.
type Execute struct {
	Node      string
	Visit     int
	Attempt   int
	Operation string
	Input     map[string]any
	// Key is the idempotency key, run:node:visit: equal for every attempt.
	Key string
	// Correlation is returned with every answer; empty if nothing waits for an answer.
	Correlation string
	Deadline    time.Duration
}

// Decline says that an answer was not taken and may start other runs.
type Decline struct {
	Reason string
}

// Trace describes what happened, for people who watch. It requires no action.
type Trace struct {
	Kind      TraceKind
	Node      string
	Visit     int
	Attempt   int
	Operation string
	Port      string
	Code      string
	Message   string
	Data      any
	Warnings  []sdk.Warning
}

// TraceKind names what a Trace is about.
type TraceKind string

// The kinds of a trace.
const (
	TraceRunStarted    TraceKind = "run.started"    // Data: the variables
	TraceRunQueued     TraceKind = "run.queued"     // it begins when others with its key have ended
	TraceRunIgnored    TraceKind = "run.ignored"    // it does not begin; Message: which run has not ended
	TraceRunFinished   TraceKind = "run.finished"   // Code: the status; Message: why it failed
	TraceRunReopened   TraceKind = "run.reopened"   // by a late answer, or tried again by hand
	TraceNodeStarted   TraceKind = "node.started"   // Data: the input
	TraceNodeProgress  TraceKind = "node.progress"  // Code: the stage
	TraceNodeSucceeded TraceKind = "node.succeeded" // Data: the output
	TraceNodeFailed    TraceKind = "node.failed"
	TraceNodeRetry     TraceKind = "node.retry"
	TraceWaitArmed     TraceKind = "wait.armed"    // Data: the ports on offer
	TraceWaitAnswered  TraceKind = "wait.answered" // Port; Data: the event
	TraceWaitTimeout   TraceKind = "wait.timeout"
	TraceWaitReminded  TraceKind = "wait.reminded"  // Port; the wait stays armed
	TraceWaitCollected TraceKind = "wait.collected" // words were added to those collected; Data: the event
	TraceWaitRestarted TraceKind = "wait.restarted" // a late answer followed its edge
	TraceWaitRefused   TraceKind = "wait.refused"   // Code: late, repeated, not_offered, cancelled, forgotten
	TraceBranchJoined  TraceKind = "branch.joined"  // it reached a node with join all
	TraceBranchIgnored TraceKind = "branch.ignored" // it reached a node with join any too late
	TraceWaitIgnored   TraceKind = "wait.ignored"   // late, and the policy is to ignore
)

func (Execute) effect() {}
func (Decline) effect() {}
func (Trace) effect()   {}

// Key names a visit for idempotency and correlation: run:node:visit.
func Key(run, node string, visit int) string {
	return run + ":" + node + ":" + strconv.Itoa(visit)
}
