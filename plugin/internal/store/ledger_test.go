package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

const operation = "whatsapp.sendButtons@1"

var ada = recipient.Chat{JID: "5511999999999@s.whatsapp.net"}

func begin(t *testing.T, s *store.Store, key, fingerprint string) *ledger.Claim {
	t.Helper()
	return must[*ledger.Claim](t)(s.Ledger.Begin(t.Context(), operation, "shop", key, fingerprint))
}

// storeIntent puts an intent on disk by itself, as that of a channel's post.
func storeIntent(ctx context.Context, s *store.Store, c *ledger.Claim, p ledger.Plan) error {
	s.Ledger.Intend(c, p)
	return s.Devices.Store(ctx, &session.Rider{Write: c.Store, About: c.About()})
}

// intend begins a fresh send with a menu of one button and puts it on disk.
func intend(t *testing.T, s *store.Store, key string) *ledger.Claim {
	t.Helper()
	c := begin(t, s, key, "f")
	if c.Verdict != ledger.Fresh {
		t.Fatalf("key %s: verdict %v, want fresh", key, c.Verdict)
	}
	check(t, storeIntent(t.Context(), s, c, ledger.Plan{
		Chat: ada, Profile: "direct", Message: []byte("proto"),
		Menu: &menus.Menu{Buttons: []menus.Button{{ID: "yes", DisplayText: "Yes", Type: "REPLY"}}, Correlation: "run-1"},
	}))
	return c
}

func TestLedger(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()

		c := intend(t, s, "k1")
		if got := begin(t, s, "k1", "f").Verdict; got != ledger.InFlight {
			t.Errorf("held key: verdict %v, want in flight", got)
		}
		if got := begin(t, s, "k1", "other").Verdict; got != ledger.Mismatch {
			t.Errorf("held key, other request: verdict %v, want mismatch", got)
		}
		c.Release()

		again := begin(t, s, "k1", "f")
		if again.Verdict != ledger.Resume || string(again.Entry.Message) != "proto" || again.Entry.MessageID != c.Entry.MessageID {
			t.Errorf("after a crash: %+v, want the intent to resume", again)
		}
		check(t, s.Ledger.MarkUnknown(ctx, again))
		check(t, s.Ledger.Conclude(ctx, again, ledger.Outcome{State: ledger.Sent, JSON: []byte(`{"ok":true}`), ChatLID: "1@lid", SentAt: time.Unix(100, 0)}))
		again.Release()

		replay := begin(t, s, "k1", "f")
		if replay.Verdict != ledger.Replay || string(replay.Entry.Outcome) != `{"ok":true}` {
			t.Errorf("settled key: %+v, want a replay", replay)
		}
		if got := begin(t, s, "k1", "other").Verdict; got != ledger.Mismatch {
			t.Errorf("settled key, other request: verdict %v, want mismatch", got)
		}

		menu := must[menus.Menu](t)(s.Menus.Get(ctx, "shop", c.Entry.MessageID))
		if menu.Chat.LID != "1@lid" || menu.Correlation != "run-1" || !menu.SentAt.Equal(time.Unix(100, 0)) {
			t.Errorf("menu after settling: %+v", menu)
		}
		for _, chat := range []string{ada.JID, "1@lid"} {
			if e, err := s.Ledger.MessageForRetry(ctx, "shop", chat, c.Entry.MessageID); err != nil || string(e.Message) != "proto" {
				t.Errorf("retry for %s: %v %v", chat, e, err)
			}
		}
		if _, err := s.Ledger.MessageForRetry(ctx, "shop", "2@lid", c.Entry.MessageID); !errors.Is(err, sqldb.ErrNotFound) {
			t.Errorf("retry for a stranger: %v, want not found", err)
		}
	})
}

func TestReceiptsOnlyRaise(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		for _, tc := range []struct {
			name   string
			settle ledger.State // 0: not at all
			steps  []ledger.State
			want   ledger.State
		}{
			{"delivered then read", ledger.Sent, []ledger.State{ledger.Delivered, ledger.Read}, ledger.Read},
			{"read then delivered", ledger.Sent, []ledger.State{ledger.Read, ledger.Delivered}, ledger.Read},
			{"receipt before the outcome", 0, []ledger.State{ledger.Delivered}, ledger.Delivered},
			{"refused stays refused", ledger.Failed, []ledger.State{ledger.Delivered}, ledger.Failed},
		} {
			c := intend(t, s, tc.name)
			if tc.settle != 0 {
				check(t, s.Ledger.Conclude(ctx, c, ledger.Outcome{State: tc.settle, JSON: []byte(`{}`)}))
			}
			for _, step := range tc.steps {
				check(t, s.Ledger.Receipt(ctx, "shop", ledger.Receipt{MessageIDs: []string{c.Entry.MessageID, "3EB0OTHER"}, State: step}))
			}
			check(t, s.Ledger.MarkUnknown(ctx, c)) // late: must not lower the state
			if e := must[ledger.Entry](t)(s.Ledger.Lookup(ctx, operation, "shop", tc.name)); e.State != tc.want {
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
		check(t, s.Ledger.Receipt(ctx, "shop", ledger.Receipt{MessageIDs: []string{c.Entry.MessageID}, State: ledger.Read}))
		check(t, s.Ledger.Conclude(ctx, c, ledger.Outcome{State: ledger.Sent, JSON: []byte(`{"n":1}`)}))
		c.Release()
		if got := begin(t, s, "k", "f"); got.Verdict != ledger.Replay || got.Entry.State != ledger.Read || string(got.Entry.Outcome) != `{"n":1}` {
			t.Errorf("got %+v", got)
		}
	})
}

func TestRefusedSendTakesItsMenu(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		c := intend(t, s, "k")
		check(t, s.Ledger.Conclude(ctx, c, ledger.Outcome{State: ledger.Failed, JSON: []byte(`{}`)}))
		if _, err := s.Menus.Get(ctx, "shop", c.Entry.MessageID); !errors.Is(err, sqldb.ErrNotFound) {
			t.Errorf("menu of a refused send: %v, want not found", err)
		}
		seen := intend(t, s, "seen")
		check(t, s.Ledger.Receipt(ctx, "shop", ledger.Receipt{MessageIDs: []string{seen.Entry.MessageID}, State: ledger.Delivered}))
		check(t, s.Ledger.Conclude(ctx, seen, ledger.Outcome{State: ledger.Failed, JSON: []byte(`{}`)}))
		if _, err := s.Menus.Get(ctx, "shop", seen.Entry.MessageID); err != nil {
			t.Errorf("menu of a send that a receipt proves: %v", err)
		}
		if err := s.Ledger.Conclude(ctx, c, ledger.Outcome{State: ledger.Read}); err == nil {
			t.Error("Read was taken for an outcome")
		}
	})
}

// Two processes that share a Postgres may begin the same key; the unique index decides.
func TestIntentIsUnique(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		a, b := open(), open()
		first, second := begin(t, a, "k", "f"), begin(t, b, "k", "f")
		check(t, storeIntent(t.Context(), a, first, ledger.Plan{Chat: ada, Message: []byte("a")}))
		err := storeIntent(t.Context(), b, second, ledger.Plan{Chat: ada, Message: []byte("b"), Menu: &menus.Menu{}})
		if !errors.Is(err, sqldb.ErrExists) {
			t.Errorf("second intent: %v, want it to exist", err)
		}
		if _, err := b.Menus.Get(t.Context(), "shop", second.Entry.MessageID); !errors.Is(err, sqldb.ErrNotFound) {
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
		if got := begin(t, s, "k", "g").Verdict; got != ledger.Fresh {
			t.Errorf("verdict %v, want fresh: nothing was intended", got)
		}
	})
}

func TestAbsentDocumentsStayAbsent(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		c := begin(t, s, "k", "f")
		defer c.Release()
		check(t, storeIntent(ctx, s, c, ledger.Plan{Chat: ada, Message: []byte("m"), Warnings: []byte(`[1]`)}))
		if e := must[ledger.Entry](t)(s.Ledger.Lookup(ctx, operation, "shop", "k")); e.Outcome != nil || string(e.Warnings) != `[1]` {
			t.Errorf("intent: outcome %q, warnings %q", e.Outcome, e.Warnings)
		}
		check(t, s.Ledger.Conclude(ctx, c, ledger.Outcome{State: ledger.Sent, JSON: []byte(`{}`)}))
		if e := must[ledger.Entry](t)(s.Ledger.Lookup(ctx, operation, "shop", "k")); string(e.Warnings) != `[1]` {
			t.Errorf("settled: warnings %q, want those of the intent", e.Warnings)
		}
	})
}

// A key of one instance does not affect another's, and never yields a message id twice: a phone
// drops an id that it has seen.
func TestKeysBelongToAnInstance(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		ids := map[string]bool{}
		use := func(instance string) *ledger.Claim {
			t.Helper()
			c := must[*ledger.Claim](t)(s.Ledger.Begin(ctx, operation, instance, "order-17", "of "+instance))
			id := c.Entry.MessageID
			if len(id) != 22 || id != "3EB0"+strings.ToUpper(id[4:]) {
				t.Errorf("id %q: want 3EB0 and 18 upper-case hex digits", id)
			}
			if ids[id] {
				t.Errorf("%s was given twice", id)
			}
			ids[id] = true
			return c
		}
		a, b := use("shop"), use("bar")
		for _, c := range []*ledger.Claim{a, b} {
			if c.Verdict != ledger.Fresh {
				t.Errorf("the key of %s is %v", c.Entry.Instance, c.Verdict)
			}
			check(t, storeIntent(ctx, s, c, ledger.Plan{Chat: ada, Message: []byte("m")}))
			c.Release()
			e := must[ledger.Entry](t)(s.Ledger.Lookup(ctx, operation, c.Entry.Instance, "order-17"))
			if e.Key != "order-17" || e.MessageID != c.Entry.MessageID {
				t.Errorf("read back as %+v", e)
			}
			again := must[*ledger.Claim](t)(s.Ledger.Begin(ctx, operation, e.Instance, e.Key, e.Fingerprint))
			if again.Verdict != ledger.Resume || again.Entry.MessageID != e.MessageID {
				t.Errorf("resumed %v as %s, want %s", again.Verdict, again.Entry.MessageID, e.MessageID)
			}
			again.Release()
		}
		check(t, s.DB.Write(ctx, "forget", func(t *sqldb.Tx) error { return ledger.Forget(t, "shop") }))
		use("shop").Release() // the key has expired and is used again
	})
}
