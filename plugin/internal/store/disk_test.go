package store_test

import (
	"context"
	"errors"
	"testing"

	wastore "go.mau.fi/whatsmeow/store"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

// A decryption is on the disk, together with the mark, when WhatsApp gets its acknowledgement, and
// has no fsync of its own before, even if an event was stored without it.
func TestDecryptionReachesTheDisk(t *testing.T) {
	ctx := t.Context()
	s := must[*store.Store](t)(store.Open(ctx, store.Options{Dir: t.TempDir()}))
	defer s.Close()
	d := pair(t, s.Devices.NewDevice(), 1)
	d = must[*wastore.Device](t)(s.Devices.Device(ctx, *d.ID))
	for ratchet, between := range map[string]func() error{
		"alone": func() error { return nil },
		"with an event": func() error {
			_, err := appendEvent(ctx, s, outbox.Event{ID: "a", Type: "t", Data: []byte("{}")})
			return err
		},
	} {
		before := s.DB.Stats()
		check(t, receive(ctx, d, "1:0", hashOf(ratchet), ratchet))
		if after := s.DB.Stats(); after != before {
			t.Errorf("%s: the decryption is a write of its own: %+v, %+v", ratchet, before, after)
		}
		check(t, between())
		before = s.DB.Stats()
		check(t, d.EventBuffer.ClearBufferedEventPlaintext(ctx, hashOf(ratchet)))
		if after := s.DB.Stats(); after.Synced != before.Synced+1 {
			t.Errorf("%s: a decryption is acknowledged and not on the disk: %+v, %+v", ratchet, before, after)
		}
		expect(t, ratchet, inTable(t, s, d, "1:0"), ratchet)
	}
}

// A message costs one synced commit before it is sent: its intent is stored with its first
// ratchets, both or neither. A channel's post has no ratchets, so its intent is stored by itself.
func TestIntentGoesWithTheRatchets(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		d := pair(t, s.Devices.NewDevice(), 1)
		plan := ledger.Plan{Chat: ada, Message: []byte("m"), Menu: &menus.Menu{Buttons: []menus.Button{{ID: "yes"}}}}
		sending := func(key string) (*ledger.Claim, context.Context) {
			claim := begin(t, s, key, "f")
			s.Ledger.Intend(claim, plan)
			return claim, session.WithFanout(ctx, everyDevice{}, &session.Rider{Write: claim.Store, About: claim.About()})
		}
		stored := func(claim *ledger.Claim) bool {
			_, err := s.Ledger.SentMessage(ctx, "shop", claim.Entry.MessageID)
			if _, errMenu := s.Menus.Get(ctx, "shop", claim.Entry.MessageID); (errMenu == nil) != (err == nil) {
				t.Error("intent and menu are not stored together")
			}
			return err == nil
		}
		ratchets := func(v string) map[string][]byte { return map[string][]byte{"a:0": []byte(v)} }

		before := s.DB.Stats()
		one, with := sending("one")
		check(t, d.Sessions.PutManySessions(with, ratchets("1")))
		if now := s.DB.Stats(); now.Synced != before.Synced+1 || now.Commits != before.Commits+1 || !stored(one) {
			t.Errorf("%+v, then %+v", before, now)
		}

		group, with := sending("group")
		check(t, d.SenderKeys.PutSenderKey(with, "1@g.us", "me", []byte("key")))
		if !stored(group) {
			t.Error("the key of a group's message is on disk before its intent")
		}
		check(t, d.Sessions.PutManySessions(with, ratchets("2")))

		late, with := sending("late")
		late.Entry.Key = one.Entry.Key // another process was faster
		if err := d.Sessions.PutManySessions(with, ratchets("3")); !errors.Is(err, sqldb.ErrExists) {
			t.Errorf("%v, want ErrExists", err)
		}
		if now := must[[]byte](t)(d.Sessions.GetSession(ctx, "a:0")); string(now) != "2" || stored(late) {
			t.Errorf("the ratchet of a message that did not leave was kept: %s", now)
		}
		check(t, d.Sessions.PutManySessions(ctx, ratchets("4"))) // the store works

		post := begin(t, s, "post", "f")
		before = s.DB.Stats()
		check(t, storeIntent(ctx, s, post, plan))
		if now := s.DB.Stats(); now.Synced != before.Synced+1 || !stored(post) {
			t.Error("a post's intent is not synced")
		}
	})
}
