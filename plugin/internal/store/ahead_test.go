package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	wastore "go.mau.fi/whatsmeow/store"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

// A send whose rows are not written yet is visible to every reader: by its key, its id and its
// menu, to a device that asks for it again, and in the session with each device, even if that is
// not in memory.
func TestWhatGoesAheadIsSeen(t *testing.T) {
	ctx := t.Context()
	s := must[*store.Store](t)(store.Open(ctx, store.Options{Dir: t.TempDir(), Alone: true}))
	defer s.Close()
	d := pair(t, s.Devices.NewDevice(), 1)
	asks := map[string]func(e ledger.Entry, key string) error{
		"key": func(_ ledger.Entry, key string) error {
			_, err := s.Ledger.Lookup(ctx, operation, "shop", key)
			return err
		},
		"id": func(e ledger.Entry, _ string) error {
			_, err := s.Ledger.SentMessage(ctx, "shop", e.MessageID)
			return err
		},
		"menu": func(e ledger.Entry, _ string) error { _, err := s.Menus.Get(ctx, "shop", e.MessageID); return err },
		"retry": func(e ledger.Entry, _ string) error {
			_, err := s.Ledger.MessageForRetry(ctx, "shop", ada.JID, e.MessageID)
			return err
		},
		"chat": func(e ledger.Entry, _ string) error {
			live, err := s.Menus.Live(ctx, "shop", ada, e.CreatedAt)
			if err == nil && !slices.ContainsFunc(live, func(m menus.Menu) bool { return m.MessageID == e.MessageID }) {
				err = errors.New("its chat does not have the menu")
			}
			return err
		},
		"session": func(_ ledger.Entry, key string) error {
			again := must[*wastore.Device](t)(s.Devices.Device(ctx, *d.ID)) // with empty memos
			for address, ratchet := range must[map[string][]byte](t)(again.Sessions.GetManySessions(ctx, []string{"a:0", "b:0"})) {
				if string(ratchet) != key {
					return fmt.Errorf("the session with %s is at %q", address, ratchet)
				}
			}
			return nil
		},
		"identity": func(ledger.Entry, string) error {
			again := must[*wastore.Device](t)(s.Devices.Device(ctx, *d.ID))
			trusted, err := again.Identities.IsTrustedIdentity(ctx, "a:0", [32]byte{9})
			if trusted {
				err = errors.New("another identity is trusted")
			}
			return err
		},
	}
	for what, ask := range asks {
		for n := range 3 {
			key := fmt.Sprint(what, n)
			claim := begin(t, s, key, "f")
			s.Ledger.Intend(claim, ledger.Plan{Chat: ada, Message: []byte("m"), Menu: &menus.Menu{Buttons: []menus.Button{{ID: "yes"}}}})
			sending := session.WithFanout(ctx, everyDevice{}, &session.Rider{Write: claim.Store, About: claim.About()})
			check(t, d.Identities.PutIdentity(sending, "a:0", [32]byte{byte(n + 1)}))
			before := s.DB.Stats()
			check(t, d.Sessions.PutManySessions(sending, map[string][]byte{"a:0": []byte(key), "b:0": []byte(key)}))
			if after := s.DB.Stats(); after.Synced != before.Synced {
				t.Error("the message waited for SQLite")
			}
			if err := ask(claim.Entry, key); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			claim.Release()
		}
	}
}

// While a power cut could lose a decryption, a send of the same device waits for SQLite, because
// its ratchets build on the decryption's.
func TestNothingGoesAheadOfADecryption(t *testing.T) {
	ctx := t.Context()
	s := must[*store.Store](t)(store.Open(ctx, store.Options{Dir: t.TempDir(), Alone: true}))
	defer s.Close()
	d := pair(t, s.Devices.NewDevice(), 1)
	put := func(v string) sqldb.Stats {
		before := s.DB.Stats()
		check(t, d.Sessions.PutManySessions(session.WithFanout(ctx, everyDevice{}, nil), map[string][]byte{"a:0": []byte(v)}))
		after := s.DB.Stats()
		after.Synced -= before.Synced
		return after
	}
	check(t, receive(ctx, d, "a:0", hashOf("one"), "1"))
	if put("2").Synced == 0 {
		t.Error("ratchets went ahead of the decryption that they stand on")
	}
	put("3") // the decryption is known to be on the disk
	if put("4").Synced != 0 {
		t.Error("nothing goes ahead any more")
	}
	expect(t, "the ratchet", inTable(t, s, d, "a:0"), "4")
}
