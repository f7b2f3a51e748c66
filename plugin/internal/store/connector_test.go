package store

import (
	"context"
	"errors"
	"testing"

	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
)

// What a commit syncs cannot be seen without a power cut, so this asks the connection
// that is about to commit for its PRAGMA synchronous: 2 is FULL, 1 is NORMAL.
func TestSynchronous(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in := func(ctx context.Context) (n int) {
		t.Helper()
		transaction, err := s.db.BeginTx(ctx, nil)
		if err == nil {
			err = errors.Join(transaction.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&n), transaction.Commit())
		}
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	by := func(write func(context.Context, string, func(*tx) error) error) (n int) {
		t.Helper()
		if err := write(ctx, "ask", func(t *tx) error { return t.row("PRAGMA synchronous").Scan(&n) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 2 { // the second time the connections are in the other mode
		if full, normal := in(ctx), in(unsynced(ctx)); full != 2 || normal != 1 {
			t.Errorf("transactions are begun with %d and, unsynced, %d", full, normal)
		}
		if full, normal := by(s.write), by(s.writeUnsynced); full != 2 || normal != 1 {
			t.Errorf("the writer writes with %d and, unsynced, %d", full, normal)
		}
	}
}

// A decryption is on the disk when WhatsApp gets its acknowledgement: with the event
// that was stored meanwhile, or else with the mark.
func TestDecryptionReachesTheDisk(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	jid := types.NewADJID("551130000001", 0, 1)
	d := newSessions(s, sqlstore.NewSQLStore(s.devices.inner, jid))
	stored := s.NewDevice()
	stored.ID = &jid
	stored.Account = &waAdv.ADVSignedDeviceIdentity{
		Details: []byte{1}, AccountSignature: make([]byte, 64), AccountSignatureKey: make([]byte, 32), DeviceSignature: make([]byte, 64),
	}
	if err := stored.Save(ctx); err != nil {
		t.Fatal(err)
	}
	waiting := func() bool { return d.decrypted.Load() > s.writer.onDisk.Load() }
	for _, between := range []func() error{
		func() error { return nil },
		func() error { _, err := s.Append(ctx, Event{ID: "a", Type: "t", Data: []byte("{}")}); return err },
	} {
		err := d.DoDecryptionTxn(ctx, func(ctx context.Context) error {
			if ctx.Value(unsyncedKey{}) == nil {
				t.Error("the decryption has an fsync of its own")
			}
			return d.PutSession(ctx, "1:0", []byte("ratchet"))
		})
		if err != nil || !waiting() {
			t.Errorf("a decryption was not noted: %v", err)
		}
		if err := errors.Join(between(), d.ClearBufferedEventPlaintext(ctx, [32]byte{1})); err != nil || waiting() {
			t.Errorf("a decryption is acknowledged and not on the disk: %v", err)
		}
	}
}

// A channel's post has no ratchet whose fsync would take its intent along.
func TestIntentOfAChannelPostReachesTheDisk(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for chat, synced := range map[string]bool{"120363000000000001@newsletter": true, "5511988880001@s.whatsapp.net": false} {
		claim, err := s.Begin(ctx, "op", chat, "shop", "mark")
		if err != nil {
			t.Fatal(err)
		}
		before := s.writer.commits.Add(1) // something waits for an fsync, and the next one takes it along
		if err := s.Intend(ctx, claim, Plan{Chat: Chat{JID: chat}, Message: []byte("m")}); err != nil {
			t.Fatal(err)
		}
		if got := s.writer.onDisk.Load() >= before; got != synced {
			t.Errorf("the intent for %s has an fsync of its own: %v", chat, got)
		}
		claim.Release()
	}
}
