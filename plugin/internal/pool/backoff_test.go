package pool

import (
	"errors"
	"testing"
	"time"
)

// TestBackoff: connections that do not last are retried ever less often, until one lasts.
func TestBackoff(t *testing.T) {
	const lasting = 30 * time.Second
	brief := ending{dialled: true, entered: true, login: true, stood: lasting / 2}
	for _, c := range []struct {
		name string
		end  ending
		most time.Duration // the longest pause, reached after many attempts
	}{
		{"a login that does not last", brief, lastRetry},
		{"a login that never delivers", ending{dialled: true, entered: true}, lastRetry},
		{"no way to the server", ending{}, lastRetry},
		{"no login", ending{dialled: true}, slowRetry},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b backoff
			var waited time.Duration
			for n := range 20 {
				b.ended(c.end, lasting)
				pause := b.next()
				if n == 0 && pause > 2*firstRetry {
					t.Errorf("the first pause is %s", pause)
				}
				if n < 8 {
					waited += pause
				}
				if pause > c.most*3/2 || n == 19 && pause < c.most/2 {
					t.Errorf("pause %d is %s, want about %s in the end", n, pause, c.most)
				}
			}
			if waited < 10*time.Second {
				t.Errorf("eight dials within %s", waited)
			}
			b.ended(ending{dialled: true, entered: true, login: true, stood: lasting}, lasting)
			if pause := b.next(); pause > 2*firstRetry || b.unstable() {
				t.Errorf("after a connection that lasted: %s, unstable %v", pause, b.unstable())
			}
		})
	}
}

// TestBackoffForgetsTheOutage: the first connection that drops soon after a long outage is restored at
// once.
func TestBackoffForgetsTheOutage(t *testing.T) {
	var b backoff
	for range 20 {
		b.ended(ending{}, time.Minute)
		b.next()
	}
	b.ended(ending{dialled: true, entered: true, login: true}, time.Minute)
	if pause := b.next(); pause > 2*firstRetry {
		t.Errorf("the first pause after the outage is %s", pause)
	}
}

// TestEndsAreNotMixedUp: each end of a connection is reported with its own code.
func TestEndsAreNotMixedUp(t *testing.T) {
	brief, shut := backoff{brief: flapping}, backoff{refused: refusals}
	own := backoff{brief: flapping, ours: true}
	failed := errors.New("dial tcp: s3cret")
	for _, c := range []struct {
		end  ending
		b    backoff
		want string
	}{
		{ending{code: codeStorage, err: failed}, backoff{}, codeStorage},
		{ending{code: codeStorage, dialled: true, entered: true, login: true}, own, codeStorage},
		{ending{code: codeUnreachable, err: failed}, brief, codeUnreachable},
		{ending{code: codeLost, dialled: true}, backoff{}, codeLost},
		{ending{code: codeLost, dialled: true}, shut, codeRefused},
		{ending{code: codeDeaf, dialled: true, entered: true, err: failed}, backoff{}, codeDeaf},
		{ending{code: codeLost, dialled: true, entered: true, login: true}, brief, codeUnstable},
	} {
		if got := lost(c.end, &c.b); got.Code != c.want || got.Message == "" {
			t.Errorf("lost(%+v, %+v) = %+v, want %s", c.end, c.b, got, c.want)
		}
	}
}

func TestPatience(t *testing.T) {
	var b backoff
	for n, want := range []time.Duration{slowRetry, 2 * slowRetry, 4 * slowRetry, 8 * slowRetry, longest, longest} {
		if got := b.pause(slowRetry); got < want/2 || got > want*3/2 {
			t.Errorf("pause %d is %s, want about %s", n, got, want)
		}
	}
}
