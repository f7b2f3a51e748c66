package app

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// A stream or subject that is behind makes timeouts wait, each subject for itself, and no longer
// than catchUp, however often streams and nodes come and go meanwhile.
func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lag{streams: map[place]*streamLag{}}
		clicks, words := place{"click", everything}, place{"words", everything}
		want := func(when string, all, shop, other bool) {
			t.Helper()
			for subject, behind := range map[string]bool{"": all, "shop": shop, "other": other} {
				if l.behind(subject, "r") != behind {
					t.Errorf("%s: %q is behind: %v", when, subject, !behind)
				}
			}
		}
		want("no streams", false, false, false)
		l.open(clicks)
		l.open(words)
		l.subject(clicks, "shop", true)
		l.caughtUp(clicks)
		want("one of two has caught up", true, true, true)
		l.caughtUp(words)
		want("but for the shop", false, true, false)
		time.Sleep(catchUp / 2)
		l.broken(clicks)
		want("a stream is broken", true, true, true)
		l.open(clicks)
		l.subject(clicks, "shop", true)
		l.caughtUp(clicks)
		want("it is open again, and the shop still away", false, true, false)
		l.subject(words, "shop", true)
		time.Sleep(catchUp / 2)
		want("the shop has been away for long, which the other stream does not know", false, true, false)
		l.subject(words, "shop", false)
		want("it has been away for long", false, false, false)
		l.broken(clicks)
		l.open(clicks)
		l.caughtUp(clicks)
		l.subject(clicks, "shop", true)
		want("it was there and is away again", false, true, false)
		l.broken(words)
		l.drop(words)
		l.subject(words, "other", true)
		l.caughtUp(words)
		l.broken(words)
		want("nobody wants the other stream any more", false, true, false)
		time.Sleep(catchUp)
		l.broken(clicks)
		time.Sleep(catchUp)
		want("everything takes too long", false, false, false)

		tap := make(chan struct{})
		f := newFlight(nil, func() {}, func(sdk.Event, []byte) error { <-tap; return nil }, func(sdk.Event) error { return nil })
		l.reads(clicks, f)
		if err := f.take(sdk.Event{ID: "1", Correlation: "r:ask:1"}); err != nil || !l.behind("", "r") || l.behind("", "other") {
			t.Error("a run whose answer is being handled is not behind, or another is", err)
		}
		close(tap)
		synctest.Wait()
		want("it was handled", false, false, false)
	})
}

// TestAskedWhileItCatchesUp: a flight reports under its own lock that a subject has caught up,
// while another goroutine asks whether it has. They do not deadlock.
func TestAskedWhileItCatchesUp(t *testing.T) {
	l := &lag{streams: map[place]*streamLag{}}
	at := place{"clicks", "host"}
	l.open(at)
	f := newFlight(nil, func() {}, nil, nil)
	l.reads(at, f)
	l.caughtUp(at)
	var both sync.WaitGroup
	both.Go(func() {
		for range 20_000 {
			f.mark(func() { l.subject(at, "shop", false) })
		}
	})
	both.Go(func() {
		for range 20_000 {
			if l.behind("shop", "run") {
				t.Error("nothing is on its way")
			}
		}
	})
	both.Wait()
}
