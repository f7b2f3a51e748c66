package engine

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Log is the durable record of runs: the seam between the engine and what keeps
// its data. Package enginetest holds what every implementation must pass.
//
// All methods may be called from several goroutines and return when their
// context ends.
type Log interface {
	Archive

	// Append stores a batch, whole or not at all, and returns the run's new
	// revision. Nothing is stored after ErrConflict, when the run is at another
	// revision than the batch expects; ErrStale, when the task that the batch ends
	// is not the caller's any more; ErrFull, when there is no room for another run.
	Append(ctx context.Context, b Batch) (revision uint64, err error)

	// Load returns a run. ErrNotFound if there is none.
	Load(ctx context.Context, run string) (Record, error)

	// Wait finds a wait by its correlation. ErrNotFound if there is none, or not
	// any more.
	Wait(ctx context.Context, correlation string) (Wait, error)

	// Next blocks until a task of the queue is due and hands it to this caller
	// alone, for Lease. A task that is neither ended nor held by then is handed
	// out again, under another token. So are those of a process that died.
	Next(ctx context.Context, q Queue) (Task, error)

	// Leave says of which versions, by their digests, this process can do no task. A Log that processes share
	// does not hand them out here until they were due for LeftToOthers, in which nobody else took them.
	Leave(versions []string)

	// Hold keeps a task that was handed out from being handed out again for d from
	// now on; 0 gives it back at once. ErrStale: it is done, or was replaced or
	// handed out again.
	Hold(ctx context.Context, t Task, d time.Duration) error

	// Drop ends a task that was handed out and changes no run. One that is not the
	// caller's any more stays as it is.
	Drop(ctx context.Context, t Task) error

	// Publish adds steps that belong to no batch, for those who watch.
	Publish(ctx context.Context, steps ...Step) error

	// Steps are the kept steps of a run after a sequence, oldest first. A run without
	// any has none.
	Steps(ctx context.Context, run string, after uint64) ([]Step, error)

	// Watch yields the steps after a sequence, of one run or (with an empty run)
	// of all, first the kept ones and then as they come, until ctx ends. Steps may
	// be forgotten before a slow reader sees them: it then gets ErrLagged once and
	// goes on with the oldest kept one.
	// Any other error is the last it yields.
	Watch(ctx context.Context, run string, after uint64) iter.Seq2[Step, error]

	// Newest is the sequence of the newest step: who watches after it sees what
	// comes.
	Newest(ctx context.Context) (uint64, error)

	// PutFlow keeps a version of a flow and numbers it: 1, 2, 3 … within the flow; the
	// same digest keeps its number. As Draft it takes the place of the flow's draft, and
	// its number unless that was tried, and changes no version that was published; there is
	// no draft then that is, byte for byte, what is published. One that cannot run has no
	// digest. Else it becomes the flow's published version, and the one before is retired. A
	// version is kept while it is published or the draft, and as long as a run belongs to it.
	// ErrFull over MaxDrafts.
	PutFlow(ctx context.Context, v Version) error

	// Try keeps a version that runs are about to begin with, although it may be the draft
	// of its flow and another one takes its place.
	Try(ctx context.Context, v Version) error

	// Flow finds a version by its digest. ErrNotFound if there is none.
	Flow(ctx context.Context, digest string) (Version, error)

	// Cursor is where a subscription goes on; nil if nothing of it was stored.
	Cursor(ctx context.Context, subscription string) ([]byte, error)

	// PutCursor stores where a subscription goes on, for events that led to no Append. It
	// survives a crash of the process, and one of the machine with the next Append.
	PutCursor(ctx context.Context, c Cursor) error

	// DropCursor forgets a subscription.
	DropCursor(ctx context.Context, subscription string) error

	// Bury keeps a dead letter, in place of one of the same id.
	Bury(ctx context.Context, l DeadLetter) error

	// DeadLetters lists them: see Engine.DeadLetters.
	DeadLetters(ctx context.Context, after string, limit int) ([]DeadLetter, error)

	// DeadLetter finds one by its id. ErrNotFound if there is none.
	DeadLetter(ctx context.Context, id string) (DeadLetter, error)

	// DropDeadLetter forgets one, if it is there.
	DropDeadLetter(ctx context.Context, id string) error
}

// Cursor is where a subscription goes on.
type Cursor struct {
	Subscription string
	Value        []byte
}

// Lease is for how long Next hands out a task.
const Lease = 30 * time.Second

// LeftToOthers is how long a task is left to processes that can do it.
const LeftToOthers = 5 * time.Minute

// LaneWidth is how many tasks of one lane a Log has handed out at the same time.
const LaneWidth = 8

// Errors of a Log.
var (
	ErrConflict = errors.New("the run has changed meanwhile")
	ErrStale    = errors.New("the task is another worker's, or done")
	ErrNotFound = errors.New("not found")
	ErrFull     = errors.New("the log holds as many runs as it may")
	ErrLagged   = errors.New("some steps were forgotten before they were read")
)

// Batch is one change of one run.
type Batch struct {
	Run string
	// Digest names the version of the flow that the run belongs to.
	Digest string
	// Expect is the revision the change was computed from; 0: there is no such
	// run yet.
	Expect uint64
	// State is the run after the change.
	State []byte
	// Over means that nothing more happens by itself; such a run may be forgotten
	// when room is needed, the oldest first.
	Over bool
	// Waits are added, or replace those of the same correlation.
	Waits []Wait
	// Tasks are added, or replace those of the same id.
	Tasks []Task
	// Ends is the task, as it was handed out, whose outcome this is. Its ID may be
	// empty: no task led here.
	Ends Task
	// Done are ids of tasks that need not be handed out any more, whoever has them.
	Done []string
	// Steps are for those who watch. The Log gives them their sequence.
	Steps []Step
	// Cursor is stored with the change that its event led to; an empty one is none.
	Cursor Cursor
	// Outgoing is stored with the change by a Log with an outbox, and dropped by others.
	Outgoing []Outgoing
	// Claim is a name that runs get in each other's way by; empty: they do not. It is given
	// with the first batch of a run and stays.
	Claim string
	// Turn is what is asked of the others with the same claim that are not over. It matters
	// for the first batch of a run, and for the one with which a queued run begins.
	Turn Turn
	// Index is what the run can be found by: see Archive.
	Index Index
	// Counts are added to those of before by a Log that keeps figures, and dropped by others.
	Counts []Count
}

// Turn says when a run with a claim may begin. When the last one that has begun is over, the
// Log makes a TaskStart for the run that was queued first.
type Turn int

// The turns.
const (
	TurnShared Turn = iota // at once, whatever the others do
	TurnAlone              // only if there is no other, also none that is queued; else a *ClaimedError
	TurnQueued             // not yet: it is queued. ErrFree if there is no other; ErrFull over MaxQueued
)

// MaxQueued is how many runs may be queued with the same claim.
const MaxQueued = 1000

// ErrFree means that nobody has the claim that a run was to be queued for.
var ErrFree = errors.New("no run is in the way")

// ClaimedError means that another run with the same claim is not over.
type ClaimedError struct{ Run string }

// Error names the other run.
func (e *ClaimedError) Error() string { return "run " + e.Run + " has the same key and is not over" }

// Record is a run at a revision.
type Record struct {
	Revision uint64
	State    []byte
}

// Wait leads from a correlation to a visit of a run.
type Wait struct {
	Correlation string
	Run         string
	Node        string
	Visit       int
	// Expires is when the wait may be forgotten.
	Expires time.Time
}

// Queue is one of the kinds of tasks, which do not hold up each other.
type Queue string

// The queues.
const (
	Calls    Queue = "calls"
	Timers   Queue = "timers"
	Timeouts Queue = "timeouts"
)

// Queues are all of them.
var Queues = []Queue{Calls, Timers, Timeouts}

// TaskKind says what a task is for.
type TaskKind string

// The kinds.
const (
	TaskCall    TaskKind = "call"    // make a call, in Calls
	TaskRetry   TaskKind = "retry"   // tell the run to try again, in Timers
	TaskTimeout TaskKind = "timeout" // tell the run that its wait is over, in Timeouts
	TaskStart   TaskKind = "start"   // begin the queued run, in Timers
	TaskReturn  TaskKind = "return"  // tell the run that one it began is over, in Timers
	TaskAbort   TaskKind = "abort"   // cancel the run, in Timers
)

// Task is something to do at a time.
type Task struct {
	ID      string
	Run     string
	Kind    TaskKind
	Visit   int
	Attempt int
	Due     time.Time
	// Lane of a call, or the instance of a timeout. At most LaneWidth tasks of one are handed
	// out at the same time, those that are due first first, so that a slow lane holds up no
	// other. Empty: no limit.
	Lane string
	// Token is made by Next, anew each time: whoever has it holds the task.
	Token string
}

// Version is one version of a flow.
type Version struct {
	Digest string `json:"digest"`         // flow.Flow.Digest; empty for a draft that has none yet, or that of another version
	Flow   string `json:"flow"`           // the flow's id
	Name   string `json:"name,omitempty"` // what its file calls it
	By     string `json:"by,omitempty"`   // who has saved it, if that is known
	Source []byte `json:"-"`              // the flow file
	// Manifests is the digest of the operations that the version was compiled against.
	Manifests string       `json:"manifests,omitempty"`
	State     VersionState `json:"state"`
	// Number and Changed, the time when it got its State, are the Log's.
	Number  int       `json:"version"`
	Changed time.Time `json:"changed"`
}

// VersionState says what a version is for.
type VersionState string

// The states of a version. PutFlow takes the empty one for Published.
const (
	Draft     VersionState = "draft"     // it was never published
	Published VersionState = "published" // it starts runs; a flow has one at most
	Retired   VersionState = "retired"   // only the runs that began with it go on
	Trial     VersionState = "trial"     // so do these; it was a draft, and never published
)

// MaxDrafts is how many flows may have a draft.
const MaxDrafts = 2000

// DraftKey stands in the place of a draft's digest in a Log: of one that has none, or that of another
// version.
func DraftKey(flow string) string { return "draft:" + flow }

// Queue of the task.
func (t Task) Queue() Queue {
	switch t.Kind {
	case TaskCall:
		return Calls
	case TaskTimeout:
		return Timeouts
	default:
		return Timers
	}
}
