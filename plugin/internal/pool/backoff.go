package pool

import (
	"math/rand/v2"
	"time"
)

const (
	firstRetry = 250 * time.Millisecond // fast: whatsmeow repeats an interrupted send if we are back within 5 s
	lastRetry  = time.Minute
	slowRetry  = 5 * time.Minute // once the server appears to refuse us
	longest    = time.Hour       // between two logins that WhatsApp refuses explicitly

	// refusals is how many connections in a row must end before their login until the server is
	// assumed to refuse us: whatsmeow loses the <failure> that says so when the socket closes right
	// after it.
	refusals = 5
	// flapping is how many connections in a row must end soon after their login until the instance
	// counts as unstable.
	flapping = 3
)

// backoff spaces the dials of one instance. Only a connection that has lasted resets it: a login
// alone proves nothing, and a server that accepts logins only to close the connection at once must
// not be dialled several times a second.
type backoff struct {
	delay   time.Duration // the next delay, plus or minus half of it
	refused int           // connections in a row that ended before their login
	brief   int           // connections in a row that ended soon after their login
	told    int           // explicit refusals that ask for patience, since a connection last lasted
	ours    bool          // the last connection ended because we could not store
}

// next returns how long to wait before the next dial.
func (b *backoff) next() time.Duration {
	if b.refused >= refusals {
		return about(slowRetry)
	}
	delay := max(b.delay, firstRetry)
	b.delay = min(2*delay, lastRetry)
	return about(delay)
}

// pause returns how long to wait after an explicit refusal: longer each time.
func (b *backoff) pause(first time.Duration) time.Duration {
	pause := min(first<<min(b.told, 10), longest)
	b.told++
	return about(pause)
}

// ended records how a connection ended.
func (b *backoff) ended(end ending, lasting time.Duration) {
	b.ours = end.code == codeStorage
	switch {
	case end.stood >= lasting:
		*b = backoff{}
	case end.entered:
		if b.brief == 0 {
			b.delay = 0 // earlier dials failed because there was no route
		}
		b.brief++
		b.refused = 0
	case end.dialled && end.by == nil && !b.ours:
		b.refused++
	}
}

// unstable reports whether logins do not last, for no reason of ours.
func (b *backoff) unstable() bool { return b.brief >= flapping && !b.ours }

func about(d time.Duration) time.Duration { return d/2 + rand.N(d) }
