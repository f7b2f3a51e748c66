package engine

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Log is the durable record of runs, and the interface between the engine and its storage. Package
// enginetest has the tests that every implementation must pass.
//
// All methods may be called from several goroutines and return when their context ends.
type Log interface {
	Archive

	// Append stores a batch, whole or not at all, and returns the run's new revision. It stores
	// nothing and returns ErrConflict when the run is at another revision than the batch expects,
	// ErrStale when the caller no longer holds the task that the batch ends, and ErrFull when there
	// is no room for another run.
	Append(ctx context.Context, b Batch) (revision uint64, err error)

	// Load returns a run. ErrNotFound if there is none.
	Load(ctx context.Context, run string) (Record, error)

	// Wait finds a wait by its correlation. ErrNotFound if there is none, or it is no longer kept.
	Wait(ctx context.Context, correlation string) (Wait, error)

	// Next blocks until a task of the queue is due and hands it to this caller alone, for Lease. A
	// task that is neither ended nor held by then is handed out again, under another token. So are
	// the tasks of a process that died.
	Next(ctx context.Context, q Queue) (Task, error)

	// Leave says which versions, by their digests, this process cannot run. A Log that several
	// processes share hands out tasks of these versions here only when they have been due for
	// LeftToOthers and no other process took them.
	Leave(versions []string)

	// Hold keeps a task that was handed out from being handed out again for d from now on; 0 gives
	// it back at once. ErrStale when the task is done, was replaced, or was handed out again.
	Hold(ctx context.Context, t Task, d time.Duration) error

	// Drop ends a task that was handed out, without changing a run. A task that the caller no
	// longer holds stays as it is.
	Drop(ctx context.Context, t Task) error

	// Publish adds steps that belong to no batch, for watchers.
	Publish(ctx context.Context, steps ...Step) error

	// Steps returns the kept steps of a run after a sequence, oldest first. A run without kept
	// steps gives none, and no error.
	Steps(ctx context.Context, run string, after uint64) ([]Step, error)

	// Watch yields the steps after a sequence, of one run or (with an empty run) of all runs: first
	// the kept steps, then new ones as they come, until ctx ends. Steps may be removed before a
	// slow reader has seen them: the reader then gets ErrLagged once and continues with the oldest
	// kept step. Any other error is the last thing that Watch yields.
	Watch(ctx context.Context, run string, after uint64) iter.Seq2[Step, error]

	// Newest is the sequence of the newest step. A Watch after it yields only steps that are still
	// to come.
	Newest(ctx context.Context) (uint64, error)

	// PutFlow keeps a version of a flow and numbers it: 1, 2, 3 … within the flow; the same digest
	// keeps its number. A version in state Draft replaces the flow's draft, takes over its number
	// unless that draft was tried, and changes no version that was published. No draft is kept that
	// is byte for byte the published version. A draft that cannot run has no digest. A version in
	// another state becomes the flow's published version, and the one before is retired. A version
	// is kept while it is published or the draft, and as long as a run belongs to it. ErrFull when
	// there are MaxDrafts drafts.
	PutFlow(ctx context.Context, v Version) error

	// Try keeps a version that runs are about to begin with, even if it is a draft that another
	// draft replaces.
	Try(ctx context.Context, v Version) error

	// Flow finds a version by its digest. ErrNotFound if there is none.
	Flow(ctx context.Context, digest string) (Version, error)

	// Cursor returns the position from which a subscription continues; nil if none is stored.
	Cursor(ctx context.Context, subscription string) ([]byte, error)

	// PutCursor stores the position from which a subscription continues, after events that led to
	// no Append. It survives a crash of the process at once, and a crash of the machine with the
	// next Append.
	PutCursor(ctx context.Context, c Cursor) error

	// DropCursor forgets a subscription.
	DropCursor(ctx context.Context, subscription string) error

	// Bury keeps a dead letter and replaces one with the same id.
	Bury(ctx context.Context, l DeadLetter) error

	// DeadLetters lists dead letters: see Engine.DeadLetters.
	DeadLetters(ctx context.Context, after string, limit int) ([]DeadLetter, error)

	// DeadLetter finds a dead letter by its id. ErrNotFound if there is none.
	DeadLetter(ctx context.Context, id string) (DeadLetter, error)

	// DropDeadLetter removes a dead letter, if there is one with the id.
	DropDeadLetter(ctx context.Context, id string) error
}

// Cursor is the position from which a subscription continues.
type Cursor struct {
	Subscription string
	Value        []byte
}

// Lease is how long Next hands out a task for.
const Lease = 30 * time.Second

// LeftToOthers is how long a task that this process cannot do is left to processes that can.
const LeftToOthers = 5 * time.Minute

// LaneWidth is how many tasks of one lane a Log hands out at the same time.
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
	// Over means that nothing more happens to the run by itself. Such runs may be removed when room
	// is needed, the oldest first.
	Over bool
	// Waits are added, or replace those of the same correlation.
	Waits []Wait
	// Tasks are added, or replace those of the same id.
	Tasks []Task
	// Ends is the task, as it was handed out, whose outcome this batch is. Its ID is empty if no
	// task led to the change.
	Ends Task
	// Done are the ids of tasks that are no longer needed, even if a worker holds them.
	Done []string
	// Steps are for watchers. The Log numbers them.
	Steps []Step
	// Cursor is stored together with the change that its event led to. Empty: there is none.
	Cursor Cursor
	// Outgoing is stored together with the change by a Log that has an outbox, and dropped by
	// others.
	Outgoing []Outgoing
	// Claim is the name by which runs exclude each other; empty: this run excludes none. It is set
	// by the first batch of a run and does not change.
	Claim string
	// Turn is the condition on the other runs with the same claim that are not over. It matters for
	// the first batch of a run, and for the batch with which a queued run begins.
	Turn Turn
	// Index is what the run can be found by: see Archive.
	Index Index
	// Counts are added to the stored figures by a Log that keeps figures, and dropped by others.
	Counts []Count
}

// Turn says when a run with a claim may begin. When the last run of the claim that has begun is
// over, the Log makes a TaskStart for the run that was queued first.
type Turn int

// The turns.
const (
	TurnShared Turn = iota // at once, whatever the others do
	TurnAlone              // only if no other run has begun or, for a new run, is queued; else a *ClaimedError
	TurnQueued             // not yet: it is queued. ErrFree if no other run has the claim; ErrFull over MaxQueued
)

// MaxQueued is how many runs may be queued with the same claim.
const MaxQueued = 1000

// ErrFree means that no other run has the claim that a run was to be queued for.
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

// Queue names a group of tasks. The queues do not delay each other.
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
	TaskReturn  TaskKind = "return"  // tell the run that a run it began is over, in Timers
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
	// Lane is the lane of a call, or the instance of a timeout. At most LaneWidth tasks of one lane
	// are handed out at the same time, in the order they are due, so that a slow lane holds up no
	// other. Empty: no limit.
	Lane string
	// Token is made anew by each Next. The worker that has it holds the task.
	Token string
}

// Version is one version of a flow.
type Version struct {
	Digest string `json:"digest"`         // flow.Flow.Digest; empty for a draft that cannot run, or has the digest of another version
	Flow   string `json:"flow"`           // the flow's id
	Name   string `json:"name,omitempty"` // as in the flow file
	By     string `json:"by,omitempty"`   // who saved it, if known
	Source []byte `json:"-"`              // the flow file
	// Manifests is the digest of the operations that the version was compiled against.
	Manifests string       `json:"manifests,omitempty"`
	State     VersionState `json:"state"`
	// Number and Changed are set by the Log. Changed is when the version got its State.
	Number  int       `json:"version"`
	Changed time.Time `json:"changed"`
}

// VersionState says what a version is for.
type VersionState string

// The states of a version. PutFlow takes an empty state as Published.
const (
	Draft     VersionState = "draft"     // it was never published
	Published VersionState = "published" // it starts runs; a flow has one at most
	Retired   VersionState = "retired"   // only the runs that began with it go on
	Trial     VersionState = "trial"     // likewise; it was a draft, and never published
)

// MaxDrafts is how many flows may have a draft.
const MaxDrafts = 2000

// DraftKey is what a Log stores in place of the digest of a draft that has none, or has the digest
// of another version.
func DraftKey(flow string) string { return "draft:" + flow }

// Queue returns the queue of the task.
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
