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
//	stopped → starting → ready ⇄ degraded → draining → stopped
//	starting, ready, degraded → backing_off → starting    it crashed
//	starting, ready, degraded → quarantined               it crashed too often, or can never start
//	any → stopped                                         Stop
type State string

// The states.
const (
	Stopped     State = "stopped"     // nobody asked for it, or it was asked to stop
	Starting    State = "starting"    // from exec to the end of Configure
	Ready       State = "ready"       // takes calls
	Degraded    State = "degraded"    // takes calls; it says it is unwell, or does not answer in time
	Draining    State = "draining"    // finishing what runs
	BackingOff  State = "backing_off" // crashed; starts again at Status.RetryAt
	Quarantined State = "quarantined" // not started again before Restart
)

// Serving says whether calls are taken.
func (s State) Serving() bool { return s == Ready || s == Degraded }

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
func (s *tracker) get() (Status, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cur, s.changed
}

// set takes an edge and logs it. f fills in the circumstances; Since is set.
func (s *tracker) set(to State, reason string, f func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change(to, reason, f)
}

// regrade moves between Ready and Degraded; in any other state it does nothing, so
// that late news about a process cannot undo its end.
func (s *tracker) regrade(to State, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cur.State.Serving() && s.cur.State != to {
		s.change(to, reason, nil)
	}
}

func (s *tracker) change(to State, reason string, f func(*Status)) {
	from := s.cur.State
	s.cur.State, s.cur.Reason, s.cur.Since, s.cur.RetryAt = to, reason, time.Now(), time.Time{}
	if f != nil {
		f(&s.cur)
	}
	close(s.changed)
	s.changed = make(chan struct{})

	level := slog.LevelInfo
	switch to {
	case Degraded, BackingOff:
		level = slog.LevelWarn
	case Quarantined:
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("from", string(from)), slog.String("to", string(to))}
	if s.cur.PID > 0 {
		attrs = append(attrs, slog.Int("pid", s.cur.PID))
	}
	if reason != "" {
		attrs = append(attrs, slog.String("reason", reason))
	}
	if !s.cur.RetryAt.IsZero() {
		attrs = append(attrs, slog.Time("retry_at", s.cur.RetryAt))
	}
	s.log.LogAttrs(context.Background(), level, "node state", attrs...)
}

// watch yields the status at once and after each change, until ctx ends or the
// caller breaks. A slow caller misses what happened in between, never the newest.
func (s *tracker) watch(ctx context.Context) iter.Seq[Status] {
	return func(yield func(Status) bool) {
		for {
			cur, changed := s.get()
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
