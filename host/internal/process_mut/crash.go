package process

import (
	"sync"
	"time"
)

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
