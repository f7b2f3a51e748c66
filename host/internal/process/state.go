package process

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"time"
)

// State is where a node's process is in its life.
//
//	stopped → starting → ready ⇄ degraded ⇄ unresponsive ⇄ ready
//	a running one → draining → stopped            Stop
//	starting or running → backing_off → starting  it crashed
//	starting or running → quarantined             it crashed too often, or can never start
//	any → stopped                                 Stop
type State string

// The states.
const (
	Stopped     State = "stopped"     // nobody asked for it, or it was asked to stop
	Starting    State = "starting"    // from exec to the end of Configure
	Ready       State = "ready"       // takes calls
	Degraded    State = "degraded"    // takes calls; it says it is unwell
	Draining    State = "draining"    // finishing what runs
	BackingOff  State = "backing_off" // crashed; starts again at Status.RetryAt
	Quarantined State = "quarantined" // not started again before Restart

	// Unresponsive is a process that lives and does not answer, because it is stopped or
	// stuck. Calls still go to it, and wait. It is killed when that lasts.
	Unresponsive State = "unresponsive"
)

// Serving says whether calls are taken and can be expected to be answered.
func (s State) Serving() bool { return s == Ready || s == Degraded }

// running says whether there is a configured process.
func (s State) running() bool { return s.Serving() || s == Unresponsive }

// Status is a state with its circumstances.
type Status struct {
	State   State     `json:"state"`
	Reason  string    `json:"reason,omitempty"` // one sentence for people
	Since   time.Time `json:"since"`
	PID     int       `json:"pid,omitempty"`    // while there is a process
	Starts  int       `json:"starts"`           // processes started so far
	RetryAt time.Time `json:"retryAt,omitzero"` // when backing off
}

// tracker holds the current Status and wakes those who wait for another.
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

// set takes an edge and logs it. f fills in the circumstances; Since is set.
func (t *tracker) set(to State, reason string, f func(*Status)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.change(to, reason, f)
}

// regrade takes news of a node's health, which may move it between Ready, Degraded and
// Unresponsive; in any other state they come too late and cannot undo its end.
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
// or the caller breaks. A slow caller misses what happened in between, never the
// newest.
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
