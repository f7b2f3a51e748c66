package events

import (
	"math/rand/v2"
	"time"
)

const (
	// tryFor is how long delivery of an event is attempted, counted from when it was stored.
	tryFor = 24 * time.Hour
	// firstDelay and maxDelay are the first and the longest pause between two attempts of an
	// event; each is twice the one before.
	firstDelay = 100 * time.Millisecond
	maxDelay   = time.Hour
	// maxFails is how many attempts in a row must fail for the breaker to open. An open breaker lets
	// one attempt through after a pause; if that succeeds, the breaker closes.
	maxFails = 10
	// firstOpen and maxOpen are the first and the longest pause of an open breaker.
	firstOpen = 5 * time.Second
	maxOpen   = 5 * time.Minute
)

// pause returns the nth of doubling pauses, up to a fifth shorter or longer so that attempts that
// failed together are not retried together.
func pause(n int, first, longest time.Duration) time.Duration {
	d := longest
	if n < 30 {
		d = min(first<<n, longest)
	}
	return d + time.Duration((rand.Float64()*0.4-0.2)*float64(d))
}

// breaker is a circuit breaker for a receiver that fails. Its owner's lock guards it.
type breaker struct {
	fails  int       // in a row
	opened int       // how often it opened in a row
	until  time.Time // no attempt before; zero: closed
	probe  bool      // the one attempt of an open breaker is in progress
}

// closed reports whether every attempt may be made.
func (b *breaker) closed() bool { return b.until.IsZero() }

// allows reports whether an attempt may be made now. If so, the caller must make it.
func (b *breaker) allows(now time.Time) bool {
	if b.closed() {
		return true
	}
	if b.probe || now.Before(b.until) {
		return false
	}
	b.probe = true
	return true
}

// heard records the outcome of an attempt. recovered says that this closed an open breaker.
func (b *breaker) heard(ok bool, now time.Time) (recovered bool) {
	was := !b.closed()
	if ok {
		*b = breaker{}
		return was
	}
	b.fails++
	if b.fails >= maxFails && (b.closed() || b.probe) {
		b.until = now.Add(pause(b.opened, firstOpen, maxOpen))
		b.opened++
	}
	b.probe = false
	return false
}
