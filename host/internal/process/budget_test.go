package process

import (
	"testing"
	"time"
)

// The test replaces the jitter, so that each wait is its upper bound.
func TestBackoffDoublesUpToItsCap(t *testing.T) {
	b := newBudget(Spec{Timing: Timing{CrashBudget: 100}.withDefaults()})
	b.random = func(bound time.Duration) time.Duration { return bound }
	now := time.Unix(0, 0)
	for i, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute} {
		if got, again := b.failed(now, time.Second, true); got != want || !again {
			t.Errorf("crash %d: wait %v, %t; want %v", i+1, got, again, want)
		}
	}
	if got, _ := b.failed(now, b.window, true); got != b.min {
		t.Errorf("after a run of a whole window: wait %v, want %v", got, b.min)
	}
}

func TestJitterStaysBelowItsBound(t *testing.T) {
	b := newBudget(Spec{Timing: Timing{CrashBudget: 1 << 30}.withDefaults()})
	for range 1000 {
		if got, _ := b.failed(time.Unix(0, 0), 0, true); got <= 0 || got > time.Minute {
			t.Fatalf("wait %v", got)
		}
	}
}

func TestCrashBudget(t *testing.T) {
	minute := func(n int) time.Time { return time.Unix(0, 0).Add(time.Duration(n) * time.Minute) }
	for name, c := range map[string]struct {
		crashes []int // minutes
		again   []bool
	}{
		"five at once":            {[]int{0, 0, 0, 0, 0}, []bool{true, true, true, true, false}},
		"five in ten minutes":     {[]int{0, 2, 4, 6, 9}, []bool{true, true, true, true, false}},
		"the window slides":       {[]int{0, 2, 4, 6, 10, 11}, []bool{true, true, true, true, true, false}},
		"one every three minutes": {[]int{0, 3, 6, 9, 12, 15, 18}, []bool{true, true, true, true, true, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBudget(Spec{Timing: Timing{}.withDefaults()})
			for i, at := range c.crashes {
				if _, again := b.failed(minute(at), time.Second, true); again != c.again[i] {
					t.Errorf("crash %d at minute %d: again %t, want %t", i+1, at, again, c.again[i])
				}
			}
		})
	}
}

// Failures that the node itself reports are retried without limit.
func TestOrderlyFailuresDoNotQuarantine(t *testing.T) {
	b := newBudget(Spec{Timing: Timing{}.withDefaults()})
	for range 100 {
		if _, again := b.failed(time.Unix(0, 0), 0, false); !again {
			t.Fatal("quarantined")
		}
	}
}
