package flow

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
	Error  *RunError
}

// Decline says that an answer was not taken and may start other runs.
type Decline struct {
	Reason string
}

// Trace says what went on, for people who watch. It asks for nothing.
type Trace struct {
	Step      TraceStep
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

// TraceStep names what a Trace is about.
type TraceStep string

// The steps of a trace.
const (
	StepRunStarted    TraceStep = "run.started"    // Data: the variables
	StepRunFinished   TraceStep = "run.finished"   // Code: the status; Message: why it failed
	StepRunReopened   TraceStep = "run.reopened"   // by a late answer
	StepNodeStarted   TraceStep = "node.started"   // Data: the input
	StepNodeProgress  TraceStep = "node.progress"  // Code: the stage
	StepNodeSucceeded TraceStep = "node.succeeded" // Data: the output
	StepNodeFailed    TraceStep = "node.failed"
	StepNodeRetry     TraceStep = "node.retry"
	StepWaitArmed     TraceStep = "wait.armed"    // Data: the ports on offer
	StepWaitAnswered  TraceStep = "wait.answered" // Port; Data: the event
	StepWaitTimeout   TraceStep = "wait.timeout"
	StepWaitRestarted TraceStep = "wait.restarted" // a late answer followed its edge
	StepWaitRefused   TraceStep = "wait.refused"   // Code: late, repeated, not_offered, cancelled, forgotten
	StepWaitIgnored   TraceStep = "wait.ignored"   // late, and the policy is to ignore
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
