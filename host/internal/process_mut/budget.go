package process

import (
	"math/rand/v2"
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
