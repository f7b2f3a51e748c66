package process

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"time"
)

// State is the stage of a node's process in its life cycle.
//
//	stopped → starting → ready ⇄ degraded ⇄ unresponsive ⇄ ready
//	a running one → draining → stopped            Stop
//	starting or running → backing_off → starting  it crashed
//	starting or running → quarantined             it crashed too often, or can never start
//	any → stopped                                 Stop
type State string

// The states.
const (
	Stopped     State = "stopped"     // not started, or stopped on request
	Starting    State = "starting"    // from exec to the end of Configure
	Ready       State = "ready"       // takes calls
	Degraded    State = "degraded"    // takes calls, but reports that it is degraded or unhealthy
	Draining    State = "draining"    // finishing running calls
	BackingOff  State = "backing_off" // crashed; starts again at Status.RetryAt
	Quarantined State = "quarantined" // not started again before Restart

	// Unresponsive is a process that runs but does not answer, because it is suspended or
	// stuck. Calls still go to it, and wait. It is killed when that lasts.
	Unresponsive State = "unresponsive"
)

// Serving reports whether the process takes calls and is expected to answer them.
func (s State) Serving() bool { return s == Ready || s == Degraded }

// running reports whether there is a configured process.
func (s State) running() bool { return s.Serving() || s == Unresponsive }

// Status is a state with its details.
type Status struct {
	State   State     `json:"state"`
	Reason  string    `json:"reason,omitempty"` // one sentence for people
	Since   time.Time `json:"since"`
	PID     int       `json:"pid,omitempty"`    // while there is a process
	Starts  int       `json:"starts"`           // processes started so far
	RetryAt time.Time `json:"retryAt,omitzero"` // when backing off
}

// tracker holds the current Status and wakes goroutines that wait for its change.
type tracker struct {
	log *slog.Logger

	mu      sync.Mutex
	cur     Status
	changed chan struct{}
}

func newTracker(log *slog.Logger) *tracker {
	return &tracker{log: log, cur: Status{State: Stopped, Since: time.Now()}, changed: make(chan struct{})}
}

// get returns the status and a channel that closes at the next change.
func (t *tracker) get() (Status, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cur, t.changed
}

// set changes the state and logs the change. f fills in the details; Since is set already.
func (t *tracker) set(to State, reason string, f func(*Status)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.change(to, reason, f)
}

// regrade applies a change of a node's health, which may move it between Ready, Degraded and
// Unresponsive. In any other state the change comes too late and is ignored.
func (t *tracker) regrade(to State, reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.cur.State.running():
	case t.cur.State != to:
		t.change(to, reason, nil)
	default:
		t.cur.Reason = reason
		t.wake()
	}
}

func (t *tracker) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *tracker) change(to State, reason string, f func(*Status)) {
	from := t.cur.State
	t.cur.State, t.cur.Reason, t.cur.Since, t.cur.RetryAt = to, reason, time.Now(), time.Time{}
	if f != nil {
		f(&t.cur)
	}
	t.wake()

	args := []any{"from", from, "to", to}
	if t.cur.PID > 0 {
		args = append(args, "pid", t.cur.PID)
	}
	if reason != "" {
		args = append(args, "reason", reason)
	}
	switch to {
	case Degraded:
		t.log.Warn("node state", args...)
	case Unresponsive, Quarantined:
		t.log.Error("node state", args...)
	default:
		t.log.Info("node state", args...)
	}
}

// watch yields the status at once and after each change or regrade, until ctx ends
// or the caller breaks. A slow caller may miss intermediate statuses, never the newest.
func (t *tracker) watch(ctx context.Context) iter.Seq[Status] {
	return func(yield func(Status) bool) {
		for {
			cur, changed := t.get()
			if !yield(cur) {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}
