package events

import (
	"math/rand/v2"
	"time"
)

const (
	// tryFor is how long an event is tried, from when it was stored.
	tryFor = 24 * time.Hour
	// firstDelay and maxDelay are the first and the longest pause between two attempts of an
	// event; each is twice the one before.
	firstDelay = 100 * time.Millisecond
	maxDelay   = time.Hour
	// maxFails is how many attempts in a row may fail before the breaker opens. It lets one
	// attempt through after a pause, and all again when that works.
	maxFails = 10
	// firstOpen and maxOpen are its first and its longest pause.
	firstOpen = 5 * time.Second
	maxOpen   = 5 * time.Minute
)

// pause is the nth of doubling pauses, a fifth shorter or longer so that what failed together
// does not come back together.
func pause(n int, first, longest time.Duration) time.Duration {
	d := longest
	if n < 30 {
		d = min(first<<n, longest)
	}
	return d + time.Duration((rand.Float64()*0.4-0.2)*float64(d))
}

// breaker keeps calls from a receiver that answers none. Its owner's lock guards it.
type breaker struct {
	fails  int // in a row
	opened int // times in a row
	until  time.Time
	probe  bool // the one attempt is under way
}

// closed says whether every attempt may be made.
func (b *breaker) closed() bool { return b.until.IsZero() }

// allows says whether an attempt may be made now, which is then under way.
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

// heard takes the outcome of an attempt. recovered says that the receiver is back.
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
