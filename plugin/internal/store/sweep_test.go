package store_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store/cache"
	"github.com/tapnode/tapnode/plugin/internal/store/inbox"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

func TestSweepKeepsTheRetention(t *testing.T) {
	c := newClock()
	day := 24 * time.Hour
	opt := store.Options{Now: c.now, Retention: store.Retention{Ledger: 2 * day, Menus: 4 * day, Messages: day, Seen: 3 * day}}
	onEach(t, opt, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		id := sendMenu(t, s, "k", ada, "yes", time.Time{})
		check(t, s.Inbox.Put(ctx, inbox.Message{Instance: "shop", ID: "m", Body: []byte("m"), SentAt: c.now()}))
		check(t, s.Cache.PutRecipient(ctx, cache.Recipient{Query: "5511", Found: true, Chat: ada, ExpiresAt: c.now().Add(day)}))
		check(t, s.Cache.PutUpload(ctx, cache.Upload{Instance: "shop", Kind: "IMAGE", SHA256: []byte("h"), Descriptor: []byte("d"), ExpiresAt: c.now().Add(day)}))
		appendAll(t, s, event(clicked, "shop", "e"))

		kept := func() string {
			has := func(err error) int {
				if err != nil && !errors.Is(err, sqldb.ErrNotFound) {
					t.Error(err)
				}
				if err == nil {
					return 1
				}
				return 0
			}
			check(t, s.Sweep(ctx))
			return fmt.Sprint("ledger ", has(errOf(s.Ledger.Lookup(ctx, operation, "shop", "k"))),
				" menu ", has(errOf(s.Menus.Get(ctx, "shop", id))),
				" message ", has(errOf(s.Inbox.Get(ctx, "shop", "m"))),
				" recipient ", has(errOf(s.Cache.Recipient(ctx, "5511"))),
				" upload ", has(errOf(s.Cache.Upload(ctx, cache.Upload{Instance: "shop", Kind: "IMAGE", SHA256: []byte("h")}))))
		}
		for _, want := range []string{
			"ledger 1 menu 1 message 1 recipient 1 upload 1",
			"ledger 1 menu 1 message 0 recipient 0 upload 0",
			"ledger 0 menu 1 message 0 recipient 0 upload 0",
			"ledger 0 menu 1 message 0 recipient 0 upload 0",
			"ledger 0 menu 0 message 0 recipient 0 upload 0",
		} {
			if got := kept(); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
			c.add(day + time.Second)
		}
		// The event itself is kept for 30 days; its id is removed after 3.
		if got := must[appended](t)(appendEvent(ctx, s, event(clicked, "shop", "e"))); got.Duplicate {
			t.Error("the id outlived its retention")
		}
	})
}

func TestSweepKeepsTheLimits(t *testing.T) {
	c := newClock()
	opt := store.Options{Now: c.now, Relaxed: true, Limits: store.Limits{Ledger: 700, Menus: 3, Events: 2}}
	onEach(t, opt, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		var sent []string
		for i := range 700 {
			c.add(time.Millisecond)
			sent = append(sent, sendMenu(t, s, fmt.Sprint(i), ada, "yes", time.Time{}))
			if i < 5 {
				appendAll(t, s, event(clicked, "shop", fmt.Sprint(i)))
			}
		}
		check(t, s.Sweep(ctx))
		menus := must[[]menus.Menu](t)(s.Menus.Live(ctx, "shop", ada, c.now()))
		if len(menus) != 3 || menus[0].MessageID != sent[699] {
			t.Errorf("%d menus are left, want the newest 3", len(menus))
		}
		if got, _ := ids(t, s, nil, outbox.Filter{}); fmt.Sprint(got) != "[3 4]" {
			t.Errorf("events left: %v, want the newest 2", got)
		}
		if _, err := s.Ledger.Begin(ctx, operation, "shop", "new", "f"); !errors.Is(err, sqldb.ErrLimit) {
			t.Errorf("new key with a full ledger: %v, want the limit", err)
		}
		known := begin(t, s, "1", "f")
		if known.Verdict != ledger.Resume {
			t.Errorf("known key with a full ledger: %v, want to resume", known.Verdict)
		}
		known.Release()
	})
}

func TestJanitorSweepsInTheBackground(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(t.Context(), store.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		s.Start()
		check(t, s.Cache.PutRecipient(t.Context(), cache.Recipient{Query: "1", ExpiresAt: time.Now().Add(time.Second)}))
		time.Sleep(2 * time.Minute) // the bubble's clock
		synctest.Wait()
		s.Stop()
		s.Stop()
		check(t, s.Close())
	})
	s := must[*store.Store](t)(store.Open(t.Context(), store.Options{Dir: dir, Now: func() time.Time { return time.Unix(0, 0) }}))
	defer s.Close()
	if _, err := s.Cache.Recipient(t.Context(), "1"); !errors.Is(err, sqldb.ErrNotFound) {
		t.Errorf("expired recipient: %v, want it removed", err)
	}
}
