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
