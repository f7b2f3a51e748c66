package process

import (
	"math/rand/v2"
	"sync"
	"time"
)

// budget decides how soon a crashed node may start again, and whether at all. It
// reads no clock: the caller says when things happened.
type budget struct {
	max    int           // crashes in window that quarantine
	window time.Duration // also how long a run must last to be forgiven
	min    time.Duration // bound of the first delay
	cap    time.Duration // bound of every delay
	random func(time.Duration) time.Duration

	crashes []time.Time // inside window, oldest first; at most max
	row     int         // crashes since the last run that lasted a window
}

func newBudget(s Spec) *budget {
	return &budget{
		max: s.CrashBudget, window: s.CrashWindow, min: s.BackoffMin, cap: s.BackoffMax,
		random: func(d time.Duration) time.Duration { return rand.N(d) + 1 }, //nolint:gosec // spreads restarts, guards nothing
	}
}

// failed takes note of a failure at now of a process that had run for ran; crash says
// whether the budget pays for it. It returns how long to wait before the next start,
// or false when the budget is used up. Waits are drawn evenly from zero to a bound
// that doubles with every failure in a row ("full jitter"), so that many nodes that
// fell together do not rise together.
func (b *budget) failed(now time.Time, ran time.Duration, crash bool) (wait time.Duration, again bool) {
	if ran >= b.window {
		b.row = 0
	}
	b.row++
	for len(b.crashes) > 0 && now.Sub(b.crashes[0]) >= b.window {
		b.crashes = b.crashes[1:]
	}
	if crash {
		b.crashes = append(b.crashes, now)
	}
	if len(b.crashes) >= b.max {
		return 0, false
	}
	bound := b.min
	for i := 1; i < b.row && bound < b.cap; i++ {
		bound *= 2
	}
	return b.random(min(bound, b.cap)), true
}

// maxCrashes is how many reports are kept.
const maxCrashes = 10

// Crash is the report of a process that ended without being asked to, or that did
// not start.
type Crash struct {
	Time   time.Time     `json:"time"`
	Reason string        `json:"reason"` // one sentence
	PID    int           `json:"pid,omitempty"`
	Ran    time.Duration `json:"ran"`              // since it was ready, nanoseconds; 0: it never was
	Exit   string        `json:"exit,omitempty"`   // "exit status 2", "signal: killed"
	Panic  string        `json:"panic,omitempty"`  // what it said when it panicked, at most 64 KiB
	Stderr []string      `json:"stderr,omitempty"` // its last lines, oldest first; at most 200 and 256 KiB
}

// crashLog keeps the newest reports.
type crashLog struct {
	mu      sync.Mutex
	reports []Crash
}

func (l *crashLog) add(c Crash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.reports) == maxCrashes {
		l.reports = append(l.reports[:0:0], l.reports[1:]...)
	}
	l.reports = append(l.reports, c)
}

func (l *crashLog) copy() []Crash {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Crash(nil), l.reports...)
}

// report describes how a process ended, as far as there was one and it has.
func report(r *runner, reason string, ran time.Duration) Crash {
	c := Crash{Time: time.Now(), Reason: reason, Ran: ran}
	if r == nil {
		return c
	}
	c.PID, c.Stderr = r.pid(), r.relay.tail.copy()
	select {
	case <-r.done:
		c.Exit, c.Panic = r.exit(), string(r.relay.panic)
	default:
	}
	return c
}
