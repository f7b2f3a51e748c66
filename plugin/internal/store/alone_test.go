package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/inbox"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// A store that has its directory to itself caches only what the database says.

// No used key is taken for new: not while the keys are read or reread, nor in the next process.
func TestUsedKeysAreKnown(t *testing.T) {
	dir := t.TempDir()
	s := alone(t, dir)
	ctx := t.Context()
	const callers, each = 8, 60
	use := func(caller, n int) error {
		c, err := s.Ledger.Begin(ctx, operation, "shop", fmt.Sprintf("%d/%d", caller, n), "f")
		if err != nil {
			return err
		}
		defer c.Release()
		if c.Verdict != ledger.Fresh {
			return fmt.Errorf("a new key is %v", c.Verdict)
		}
		return storeIntent(ctx, s, c, ledger.Plan{Chat: ada, Message: []byte("m")})
	}
	held := begin(t, s, "held", "f")
	var g errgroup.Group
	for caller := range callers {
		g.Go(func() error {
			for n := range each {
				if err := use(caller, n); err != nil {
					return err
				}
			}
			return nil
		})
	}
	check(t, s.Sweep(ctx)) // reads the keys
	check(t, storeIntent(ctx, s, held, ledger.Plan{Chat: ada, Message: []byte("m")}))
	held.Release()
	check(t, g.Wait())
	known := func(when string) {
		t.Helper()
		c := begin(t, s, "held", "f")
		if c.Release(); c.Verdict != ledger.Resume {
			t.Errorf("%s: the key that was held is %v", when, c.Verdict)
		}
		for i := range callers * each {
			c := begin(t, s, fmt.Sprintf("%d/%d", i%callers, i/callers), "f")
			if c.Release(); c.Verdict != ledger.Resume {
				t.Errorf("%s: a used key is %v", when, c.Verdict)
			}
		}
	}
	known("in the same process")
	check(t, s.Close())
	s = alone(t, dir)
	known("before they are read")
	check(t, s.Sweep(ctx))
	known("in the next process")
	check(t, s.Close())
	if _, err := s.Ledger.Begin(ctx, operation, "shop", "new", "f"); err != nil {
		t.Errorf("the database is asked for a new key: %v", err)
	}
}

func TestRememberedTimers(t *testing.T) {
	s := alone(t, t.TempDir())
	ctx := t.Context()
	chat, byNumber := ada, recipient.Chat{JID: ada.JID}
	must[registry.Instance](t)(s.Registry.Create(ctx, "shop"))
	expectTimer := func(when string, want uint32) {
		t.Helper()
		for range 2 { // read, and cached
			for _, c := range []recipient.Chat{chat, byNumber} {
				got, err := s.Inbox.Timer(ctx, "shop", c)
				if want == 0 && errors.Is(err, sqldb.ErrNotFound) {
					continue
				}
				if err != nil || got.Seconds != want {
					t.Errorf("%s: %v is %+v %v, want %d s", when, c, got, err, want)
				}
			}
		}
	}
	at := time.Now()
	expectTimer("at first", 0)
	check(t, s.Inbox.SetTimer(ctx, "shop", byNumber, inbox.Timer{Seconds: 60, SetAt: at}))
	expectTimer("when it is set", 60)
	check(t, s.Inbox.Put(ctx, inbox.Message{Instance: "shop", ID: "m", Chat: chat, Body: []byte("hi"), Timer: &inbox.Timer{Seconds: 90, SetAt: at.Add(time.Second)}}))
	expectTimer("when a message tells it", 90)
	check(t, s.Registry.Delete(ctx, "shop"))
	expectTimer("when the instance is gone", 0)
}

func TestRememberedSubscribers(t *testing.T) {
	ctx := t.Context()
	s := must[*store.Store](t)(store.Open(ctx, store.Options{Dir: t.TempDir(), Alone: true, Status: ledger.Events{Type: status, New: steps}}))
	defer s.Close()
	n := 0
	expectEvent := func(when string, want bool) {
		t.Helper()
		n++
		c := intend(t, s, fmt.Sprint("send", n))
		check(t, s.Ledger.Conclude(ctx, c, ledger.Outcome{State: ledger.Sent, JSON: []byte("out")}))
		c.Release()
		must[ledger.Entry](t)(s.Ledger.Lookup(ctx, operation, "shop", c.Entry.Key)) // waits for its outcome
		if got := slices.ContainsFunc(told(t, s), func(line string) bool { return strings.HasPrefix(line, c.Entry.Key+" ") }); got != want {
			t.Errorf("%s: an event is stored: %v, want %v", when, got, want)
		}
	}
	for range 2 {
		expectEvent("nobody has subscribed", false)
		expectEvent("nobody has subscribed still", false)
		subscribe(t, s)
		expectEvent("somebody has subscribed", true)
		expectEvent("somebody has subscribed still", true)
		check(t, s.Outbox.Unsubscribe(ctx, "host"))
		expectEvent("nobody is left", false)
		subscribe(t, s)
		check(t, s.Sweep(ctx))
		check(t, s.Outbox.Only(ctx, "ho", nil))
	}
}
