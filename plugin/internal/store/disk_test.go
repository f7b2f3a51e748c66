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

// A decryption is on the disk when WhatsApp gets its acknowledgement: with the event
// that was stored meanwhile, or else with the mark.
func TestDecryptionReachesTheDisk(t *testing.T) {
	ctx := t.Context()
	s := must[*store.Store](t)(store.Open(ctx, store.Options{Dir: t.TempDir()}))
	defer s.Close()
	d := pair(t, s.Devices.NewDevice(), 1)
	d = must[*wastore.Device](t)(s.Devices.Device(ctx, *d.ID))
	for _, between := range []func() error{
		func() error { return nil },
		func() error {
			_, err := appendEvent(ctx, s, outbox.Event{ID: "a", Type: "t", Data: []byte("{}")})
			return err
		},
	} {
		err := d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
			return d.Sessions.PutSession(ctx, "1:0", []byte("ratchet"))
		})
		check(t, err)
		commit := s.DB.Committed() // numbers are given in order: this one is behind the decryption's
		if s.DB.OnDisk(commit) {
			t.Error("the decryption has an fsync of its own")
		}
		if err := errors.Join(between(), d.EventBuffer.ClearBufferedEventPlaintext(ctx, [32]byte{1})); err != nil || !s.DB.OnDisk(commit-1) {
			t.Errorf("a decryption is acknowledged and not on the disk: %v", err)
		}
	}
}

// A message costs one synced commit before it leaves: its intent goes with its first ratchets,
// both or neither. A channel's post has none, and its intent goes by itself.
func TestIntentGoesWithTheRatchets(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		d := pair(t, s.Devices.NewDevice(), 1)
		plan := ledger.Plan{Chat: ada, Message: []byte("m"), Menu: &menus.Menu{Buttons: []menus.Button{{ID: "yes"}}}}
		sending := func(key string) (*ledger.Claim, context.Context) {
			claim := begin(t, s, key, "f")
			s.Ledger.Intend(claim, plan)
			return claim, session.WithFanout(ctx, everyDevice{}, &session.Rider{Write: claim.Store})
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
