package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store"
)

const operation = "whatsapp.sendButtons@1"

var ada = store.Chat{JID: "5511999999999@s.whatsapp.net"}

func begin(t *testing.T, s *store.Store, key, fingerprint string) *store.Claim {
	t.Helper()
	return must[*store.Claim](t)(s.Begin(t.Context(), operation, key, "shop", fingerprint))
}

// intend begins a fresh send with a menu of one button and puts it on disk.
func intend(t *testing.T, s *store.Store, key string) *store.Claim {
	t.Helper()
	c := begin(t, s, key, "f")
	if c.Verdict != store.Fresh {
		t.Fatalf("key %s: verdict %v, want fresh", key, c.Verdict)
	}
	check(t, s.Intend(t.Context(), c, store.Plan{
		Chat: ada, Profile: "direct", Message: []byte("proto"),
		Menu: &store.Menu{Buttons: []store.Button{{ID: "yes", DisplayText: "Yes", Type: "REPLY"}}, Correlation: "run-1"},
	}))
	return c
}

func TestLedger(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()

		c := intend(t, s, "k1")
		if got := begin(t, s, "k1", "f").Verdict; got != store.InFlight {
			t.Errorf("held key: verdict %v, want in flight", got)
		}
		if got := begin(t, s, "k1", "other").Verdict; got != store.Mismatch {
			t.Errorf("held key, other request: verdict %v, want mismatch", got)
		}
		c.Release()

		again := begin(t, s, "k1", "f")
		if again.Verdict != store.Resume || string(again.Entry.Message) != "proto" || again.Entry.MessageID != c.Entry.MessageID {
			t.Errorf("after a crash: %+v, want the intent to resume", again)
		}
		check(t, s.MarkUnknown(ctx, again))
		check(t, s.Settle(ctx, again, store.Outcome{State: store.Sent, JSON: []byte(`{"ok":true}`), ChatLID: "1@lid", SentAt: time.Unix(100, 0)}))
		again.Release()

		replay := begin(t, s, "k1", "f")
		if replay.Verdict != store.Replay || string(replay.Entry.Outcome) != `{"ok":true}` {
			t.Errorf("settled key: %+v, want a replay", replay)
		}
		if got := begin(t, s, "k1", "other").Verdict; got != store.Mismatch {
			t.Errorf("settled key, other request: verdict %v, want mismatch", got)
		}

		menu := must[store.Menu](t)(s.Menu(ctx, "shop", c.Entry.MessageID))
		if menu.Chat.LID != "1@lid" || menu.Correlation != "run-1" || !menu.SentAt.Equal(time.Unix(100, 0)) {
			t.Errorf("menu after settling: %+v", menu)
		}
		for _, chat := range []string{ada.JID, "1@lid"} {
			if e, err := s.MessageForRetry(ctx, "shop", chat, c.Entry.MessageID); err != nil || string(e.Message) != "proto" {
				t.Errorf("retry for %s: %v %v", chat, e, err)
			}
		}
		if _, err := s.MessageForRetry(ctx, "shop", "2@lid", c.Entry.MessageID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("retry for a stranger: %v, want not found", err)
		}
	})
}

func TestReceiptsOnlyRaise(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		for _, tc := range []struct {
			name   string
			settle store.State // 0: not at all
			steps  []store.State
			want   store.State
		}{
			{"delivered then read", store.Sent, []store.State{store.Delivered, store.Read}, store.Read},
			{"read then delivered", store.Sent, []store.State{store.Read, store.Delivered}, store.Read},
			{"receipt before the outcome", 0, []store.State{store.Delivered}, store.Delivered},
			{"refused stays refused", store.Failed, []store.State{store.Delivered}, store.Failed},
		} {
			c := intend(t, s, tc.name)
			if tc.settle != 0 {
				check(t, s.Settle(ctx, c, store.Outcome{State: tc.settle, JSON: []byte(`{}`)}))
			}
			for _, step := range tc.steps {
				check(t, s.Receipt(ctx, "shop", store.Receipt{MessageIDs: []string{c.Entry.MessageID, "3EB0OTHER"}, State: step}))
			}
			check(t, s.MarkUnknown(ctx, c)) // late, and must not lower
			if e := must[store.Entry](t)(s.Lookup(ctx, operation, tc.name)); e.State != tc.want {
				t.Errorf("%s: %v, want %v", tc.name, e.State, tc.want)
			}
			c.Release()
		}
	})
}

func TestOutcomeAfterReceiptIsKept(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		c := intend(t, s, "k")
		check(t, s.Receipt(ctx, "shop", store.Receipt{MessageIDs: []string{c.Entry.MessageID}, State: store.Read}))
		check(t, s.Settle(ctx, c, store.Outcome{State: store.Sent, JSON: []byte(`{"n":1}`)}))
		c.Release()
		if got := begin(t, s, "k", "f"); got.Verdict != store.Replay || got.Entry.State != store.Read || string(got.Entry.Outcome) != `{"n":1}` {
			t.Errorf("got %+v", got)
		}
	})
}

func TestRefusedSendTakesItsMenu(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		c := intend(t, s, "k")
		check(t, s.Settle(ctx, c, store.Outcome{State: store.Failed, JSON: []byte(`{}`)}))
		if _, err := s.Menu(ctx, "shop", c.Entry.MessageID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("menu of a refused send: %v, want not found", err)
		}
		seen := intend(t, s, "seen")
		check(t, s.Receipt(ctx, "shop", store.Receipt{MessageIDs: []string{seen.Entry.MessageID}, State: store.Delivered}))
		check(t, s.Settle(ctx, seen, store.Outcome{State: store.Failed, JSON: []byte(`{}`)}))
		if _, err := s.Menu(ctx, "shop", seen.Entry.MessageID); err != nil {
			t.Errorf("menu of a send that a receipt proves: %v", err)
		}
		if err := s.Settle(ctx, c, store.Outcome{State: store.Read}); err == nil {
			t.Error("Read was taken for an outcome")
		}
	})
}

// Two processes that share a Postgres may begin the same key; the index decides.
func TestIntentIsUnique(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		a, b := open(), open()
		first, second := begin(t, a, "k", "f"), begin(t, b, "k", "f")
		check(t, a.Intend(t.Context(), first, store.Plan{Chat: ada, Message: []byte("a")}))
		err := b.Intend(t.Context(), second, store.Plan{Chat: ada, Message: []byte("b"), Menu: &store.Menu{}})
		if !errors.Is(err, store.ErrExists) {
			t.Errorf("second intent: %v, want it to exist", err)
		}
		if _, err := b.Menu(t.Context(), "shop", second.Entry.MessageID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("menu of the loser: %v, want nothing", err)
		}
	})
}

func TestReleasedFreshKeyIsFreshAgain(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		s := open()
		c := begin(t, s, "k", "f")
		c.Release()
		c.Release()
		if got := begin(t, s, "k", "g").Verdict; got != store.Fresh {
			t.Errorf("verdict %v, want fresh: nothing was intended", got)
		}
	})
}

func TestAbsentDocumentsStayAbsent(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		c := begin(t, s, "k", "f")
		defer c.Release()
		check(t, s.Intend(ctx, c, store.Plan{Chat: ada, Message: []byte("m"), Warnings: []byte(`[1]`)}))
		if e := must[store.Entry](t)(s.Lookup(ctx, operation, "k")); e.Outcome != nil || string(e.Warnings) != `[1]` {
			t.Errorf("intent: outcome %q, warnings %q", e.Outcome, e.Warnings)
		}
		check(t, s.Settle(ctx, c, store.Outcome{State: store.Sent, JSON: []byte(`{}`)}))
		if e := must[store.Entry](t)(s.Lookup(ctx, operation, "k")); string(e.Warnings) != `[1]` {
			t.Errorf("settled: warnings %q, want those of the intent", e.Warnings)
		}
	})
}
