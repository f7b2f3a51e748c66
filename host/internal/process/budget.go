package process

import (
	"math/rand/v2"
	"sync"
	"time"
)

// budget decides how soon a crashed node may start again, and whether at all. It
// reads no clock: the caller passes the times.
type budget struct {
	max    int           // this many crashes within window cause quarantine
	window time.Duration // a run that lasts this long also resets the delays
	min    time.Duration // upper bound of the first delay
	cap    time.Duration // upper bound of every delay
	random func(time.Duration) time.Duration

	crashes []time.Time // inside window, oldest first; at most max
	row     int         // failures since the last run that lasted a window
}

func newBudget(s Spec) *budget {
	return &budget{
		max: s.CrashBudget, window: s.CrashWindow, min: s.BackoffMin, cap: s.BackoffMax,
		random: func(d time.Duration) time.Duration { return rand.N(d) + 1 }, //nolint:gosec // spreads restarts, guards nothing
	}
}

// failed records a failure, at now, of a process that had run for ran; crash says whether
// it counts against the budget. It returns how long to wait before the next start, or
// false if the budget is used up. Waits are uniformly distributed between zero and a
// bound that doubles with every failure in a row ("full jitter"), so that nodes that
// crashed together do not restart together.
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

// Crash is the report of a process that ended without a request, or that did not
// become ready.
type Crash struct {
	Time   time.Time     `json:"time"`
	Reason string        `json:"reason"` // one sentence
	PID    int           `json:"pid,omitempty"`
	Ran    time.Duration `json:"ran"`              // since it became ready, in nanoseconds; 0: it never did
	Exit   string        `json:"exit,omitempty"`   // "exit status 2", "signal: killed"
	Panic  string        `json:"panic,omitempty"`  // its output when it panicked, at most 64 KiB
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

// report describes how a process ended. r is nil if none was started; a process that has
// not ended yet has neither exit nor panic.
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
