package run

import (
	"strconv"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

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
	// Correlation is the one of the Arm before it; empty when nothing waits.
	Correlation string
	Deadline    time.Duration
}

// Arm asks to lead events with this correlation to the visit and, from Deadline
// on, to deliver TimedOut. The same correlation replaces what was armed before.
type Arm struct {
	Node        string
	Visit       int
	Correlation string
	Ports       []string
	// Deadline is zero until the message is sent: then there is no timer yet.
	Deadline time.Time
}

// Disarm asks to drop the timer. Events with the correlation still lead here, to
// be dealt with as late.
type Disarm struct {
	Visit       int
	Correlation string
}

// Later asks for RetryDue with this visit and attempt.
type Later struct {
	Visit   int
	Attempt int
	Due     time.Time
}

// Finish says that nothing is left to happen by itself.
type Finish struct {
	Status Status
	Error  *Error
}

// Decline says that an answer was not taken and may start other runs.
type Decline struct {
	Reason string
}

// Trace says what went on, for people who watch. It asks for nothing.
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
	TraceRunFinished   TraceKind = "run.finished"   // Code: the status; Message: why it failed
	TraceRunReopened   TraceKind = "run.reopened"   // by a late answer
	TraceNodeStarted   TraceKind = "node.started"   // Data: the input
	TraceNodeProgress  TraceKind = "node.progress"  // Code: the stage
	TraceNodeSucceeded TraceKind = "node.succeeded" // Data: the output
	TraceNodeFailed    TraceKind = "node.failed"
	TraceNodeRetry     TraceKind = "node.retry"
	TraceWaitArmed     TraceKind = "wait.armed"    // Data: the ports on offer
	TraceWaitAnswered  TraceKind = "wait.answered" // Port; Data: the event
	TraceWaitTimeout   TraceKind = "wait.timeout"
	TraceWaitRestarted TraceKind = "wait.restarted" // a late answer followed its edge
	TraceWaitRefused   TraceKind = "wait.refused"   // Code: late, repeated, not_offered, cancelled, forgotten
	TraceWaitIgnored   TraceKind = "wait.ignored"   // late, and the policy is to ignore
)

func (Execute) effect() {}
func (Arm) effect()     {}
func (Disarm) effect()  {}
func (Later) effect()   {}
func (Finish) effect()  {}
func (Decline) effect() {}
func (Trace) effect()   {}

// Key names a visit for idempotency and correlation: run:node:visit.
func Key(run, node string, visit int) string {
	return run + ":" + node + ":" + strconv.Itoa(visit)
}
