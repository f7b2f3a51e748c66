package events

import (
	"testing"
	"time"
)

func TestPauses(t *testing.T) {
	sum := time.Duration(0)
	for n := range 40 {
		d, exact := pause(n, firstDelay, maxDelay), min(firstDelay<<min(n, 30), maxDelay)
		if d < exact*4/5 || d > exact*6/5 {
			t.Errorf("pause %d is %v, want about %v", n, d, exact)
		}
		sum += exact
	}
	if sum < tryFor {
		t.Errorf("40 attempts take %v", sum)
	}
}

// TestBreaker: the breaker opens after failures in a row, lets one attempt through after a pause, and
// closes if that succeeds.
func TestBreaker(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	b := breaker{}
	fail := func(n int) {
		for range n {
			b.heard(false, now)
		}
	}
	fail(maxFails - 1)
	if b.heard(true, now); !b.closed() || !b.allows(now) {
		t.Error("it is open although one worked")
	}
	fail(maxFails)
	if b.closed() || b.allows(now) {
		t.Error("it is closed")
	}
	first := b.until
	fail(5) // attempts that were in progress
	if b.until != first {
		t.Error("those that were under way make the pause longer")
	}
	now = first
	if !b.allows(now) || b.allows(now) {
		t.Error("want one attempt")
	}
	fail(1)
	if second := b.until.Sub(now); second < firstOpen || b.allows(now) {
		t.Errorf("the second pause is %v", second)
	}
	if now = b.until; !b.allows(now) || !b.heard(true, now) || !b.closed() {
		t.Error("it did not close")
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-3": 0, "x": 0, "99999999999999": maxRetryAfter, "999999999999999999999999": 0,
		now.Add(time.Minute).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"): time.Minute, now.Add(-time.Minute).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"): 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}
