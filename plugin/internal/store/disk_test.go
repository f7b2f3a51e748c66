package store_test

import (
	"context"
	"errors"
	"testing"

	wastore "go.mau.fi/whatsmeow/store"

	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
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

// A channel's post has no ratchet whose fsync would take its intent along.
func TestIntentOfAChannelPostReachesTheDisk(t *testing.T) {
	ctx := t.Context()
	s := must[*store.Store](t)(store.Open(ctx, store.Options{Dir: t.TempDir()}))
	defer s.Close()
	for chat, synced := range map[string]bool{"120363000000000001@newsletter": true, "5511988880001@s.whatsapp.net": false} {
		claim := must[*ledger.Claim](t)(s.Ledger.Begin(ctx, "op", "shop", chat, "mark"))
		before := s.DB.Committed() // something waits for an fsync, and the next one takes it along
		check(t, s.Ledger.Intend(ctx, claim, ledger.Plan{Chat: recipient.Chat{JID: chat}, Message: []byte("m")}))
		if got := s.DB.OnDisk(before); got != synced {
			t.Errorf("the intent for %s has an fsync of its own: %v", chat, got)
		}
		claim.Release()
	}
}
