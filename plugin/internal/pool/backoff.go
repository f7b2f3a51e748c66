package pool

import (
	"math/rand/v2"
	"time"
)

const (
	firstRetry = 250 * time.Millisecond // fast: whatsmeow repeats a cut send if we are back within 5 s
	lastRetry  = time.Minute
	slowRetry  = 5 * time.Minute // once the server looks like refusing us
	longest    = time.Hour       // between two logins that WhatsApp refuses in words

	// refusals is after how many connections in a row that ended before the login
	// the server is taken to refuse us: whatsmeow loses the <failure> that says so
	// when the socket closes right behind it.
	refusals = 5
	// flapping is after how many connections in a row that ended soon after the login
	// the instance is called unstable.
	flapping = 3
)

// backoff spaces the dials of one instance. Only a connection that has lasted makes it
// forget: a login alone proves nothing, and a server that lets us in to hang up at once
// must not be asked several times a second.
type backoff struct {
	delay   time.Duration // the next, give or take a half
	refused int           // connections in a row that ended before their login
	brief   int           // connections in a row that ended soon after it
	told    int           // refusals in words that ask for patience, since a connection lasted
	ours    bool          // the last connection ended because we could not store
}

// next is how long to wait before the next dial.
func (b *backoff) next() time.Duration {
	if b.refused >= refusals {
		return about(slowRetry)
	}
	delay := max(b.delay, firstRetry)
	b.delay = min(2*delay, lastRetry)
	return about(delay)
}

// pause is how long to wait after a refusal in words: longer each time.
func (b *backoff) pause(first time.Duration) time.Duration {
	pause := min(first<<min(b.told, 10), longest)
	b.told++
	return about(pause)
}

// ended takes note of how a connection ended.
func (b *backoff) ended(end ending, lasting time.Duration) {
	b.ours = end.code == codeStorage
	switch {
	case end.stood >= lasting:
		*b = backoff{}
	case end.entered:
		if b.brief == 0 {
			b.delay = 0 // the dials before could not help it that there was no way
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
