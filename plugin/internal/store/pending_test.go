package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	wastore "go.mau.fi/whatsmeow/store"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

func hashOf(key string) [32]byte { return sha256.Sum256([]byte(key)) }

// receive decrypts a message as whatsmeow does, which advances the ratchet to now.
func receive(ctx context.Context, d *wastore.Device, address string, hash [32]byte, now string) error {
	if b, err := d.EventBuffer.GetBufferedEvent(ctx, hash); err != nil || b != nil {
		return errors.Join(err, errors.New("the message was decrypted before"))
	}
	return d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		_, err := d.Sessions.GetSession(ctx, address)
		return errors.Join(err, d.Sessions.PutSession(ctx, address, []byte(now)), d.EventBuffer.PutBufferedEvent(ctx, hash, []byte("text"), time.Now()))
	})
}

// arrive decrypts a message and begins to store its event; with runs in that transaction.
func arrive(t *testing.T, s *store.Store, d *wastore.Device, key, now string, with func() error) (stored func() error) {
	t.Helper()
	check(t, receive(t.Context(), d, "1:0", hashOf(key), now))
	return beginEvent(t.Context(), s, session.Decrypted(d), event(clicked, "shop", key), completed(with), new(bool))
}

func fine() error { return nil }

var errFull = errors.New("the disk is full")

func full() error { return errFull }

// inTable returns a session as another process sees it.
func inTable(t *testing.T, s *store.Store, d *wastore.Device, address string) string {
	t.Helper()
	fresh := must[*wastore.Device](t)(s.Devices.Device(t.Context(), *d.ID))
	return string(must[[]byte](t)(fresh.Sessions.GetSession(t.Context(), address)))
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// A message costs one commit: its ratchet, its mark and its event are stored together.
func TestMessageIsOneCommit(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		d := pair(t, s.Devices.NewDevice(), 1)
		before := s.DB.Stats()
		for _, key := range []string{"a", "b"} {
			stored := arrive(t, s, d, key, key, fine)
			check(t, stored())
			check(t, d.EventBuffer.ClearBufferedEventPlaintext(ctx, hashOf(key)))
		}
		after := s.DB.Stats()
		if commits, synced := after.Commits-before.Commits, after.Synced-before.Synced; commits != 2 || synced != 2 {
			t.Errorf("two messages took %d commits, of which %d were synced", commits, synced)
		}
		expect(t, "the ratchet", inTable(t, s, d, "1:0"), "b")
		if b := must[*wastore.BufferedEvent](t)(d.EventBuffer.GetBufferedEvent(ctx, hashOf("a"))); b == nil || b.Plaintext != nil {
			t.Errorf("the message has no mark: %+v", b)
		}
		if got, _ := ids(t, s, nil, outbox.Filter{}); len(got) != 2 {
			t.Errorf("events %v", got)
		}
	})
}

// A message without an event is stored with its mark, on the disk.
func TestMessageOfNoInterest(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		d := pair(t, s.Devices.NewDevice(), 1)
		check(t, receive(ctx, d, "1:0", hashOf("a"), "moved on"))
		before := s.DB.Stats()
		expect(t, "the ratchet before the message was handled", inTable(t, s, d, "1:0"), "")
		check(t, d.EventBuffer.ClearBufferedEventPlaintext(ctx, hashOf("a")))
		if after := s.DB.Stats(); after.Synced != before.Synced+1 {
			t.Errorf("%d synced commits, want one", after.Synced-before.Synced)
		}
		expect(t, "the ratchet", inTable(t, s, d, "1:0"), "moved on")
	})
}

// If the event of a message cannot be stored, the message counts as never decrypted, and can be
// decrypted again.
func TestDroppedDecryption(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		d := pair(t, s.Devices.NewDevice(), 1)
		check(t, d.Sessions.PutManySessions(ctx, map[string][]byte{"1:0": []byte("as it was")}))
		if err := arrive(t, s, d, "a", "moved on", full)(); !errors.Is(err, errFull) {
			t.Errorf("stored: %v", err)
		}
		expect(t, "the ratchet in memory", string(must[[]byte](t)(d.Sessions.GetSession(ctx, "1:0"))), "as it was")
		expect(t, "the ratchet in the table", inTable(t, s, d, "1:0"), "as it was")
		check(t, arrive(t, s, d, "a", "moved on", fine)())
		expect(t, "the ratchet of the second time", inTable(t, s, d, "1:0"), "moved on")
		if got, _ := ids(t, s, nil, outbox.Filter{}); len(got) != 1 {
			t.Errorf("events %v, want one", got)
		}
	})
}

// Messages decrypted after one that cannot be stored are dropped with it, and the connection ends;
// the next one starts from the state in the database.
func TestDroppedDecryptionTakesLaterOnesAlong(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		s := open()
		d := pair(t, s.Devices.NewDevice(), 1)
		var told error
		session.Arm(d, func(err error) { told = err })
		check(t, arrive(t, s, d, "a", "one", fine)())

		turn := make(chan struct{}) // both wait in the writer's queue
		busy := s.DB.Begin(t.Context(), "wait", func(*sqldb.Tx) error { <-turn; return nil })
		second, third := arrive(t, s, d, "b", "two", full), arrive(t, s, d, "c", "three", fine)
		close(turn)
		check(t, busy())
		if err := second(); !errors.Is(err, errFull) || !errors.Is(told, errFull) {
			t.Errorf("the second: %v; the line was told %v", err, told)
		}
		if err := third(); err == nil {
			t.Error("a message was stored on a ratchet that is not")
		}
		if err := receive(t.Context(), d, "1:0", hashOf("d"), "four"); !errors.Is(err, context.Canceled) {
			t.Errorf("the line goes on: %v", err)
		}
		session.Arm(d, func(error) {})
		expect(t, "the ratchet in the table", inTable(t, s, d, "1:0"), "one")
		expect(t, "the ratchet in memory", string(must[[]byte](t)(d.Sessions.GetSession(t.Context(), "1:0"))), "one")
		check(t, arrive(t, s, d, "b", "two", fine)())
		check(t, arrive(t, s, d, "c", "three", fine)())
		if got, _ := ids(t, s, nil, outbox.Filter{}); len(got) != 3 {
			t.Errorf("events %v, want three", got)
		}
	})
}

// A message that arrives again while its event is being stored counts as handled only once the
// event is stored.
func TestRedeliveryWaitsForTheEvent(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		d := pair(t, s.Devices.NewDevice(), 1)
		for _, outcome := range []func() error{fine, full} {
			turn := make(chan struct{})
			busy := s.DB.Begin(ctx, "wait", func(*sqldb.Tx) error { <-turn; return nil })
			stored := arrive(t, s, d, "a"+now(outcome), "moved on"+now(outcome), outcome)
			type answer struct {
				is  *wastore.BufferedEvent
				err error
			}
			got := make(chan answer, 1)
			go func() {
				b, err := d.EventBuffer.GetBufferedEvent(ctx, hashOf("a"+now(outcome)))
				got <- answer{b, err}
			}()
			close(turn)
			err := stored()
			check(t, busy())
			if a := <-got; err == nil && (a.err != nil || a.is == nil || a.is.Plaintext != nil) || err != nil && a.is != nil {
				t.Errorf("stored: %v; the message that came again: %+v", err, a)
			}
		}
	})
}

func now(outcome func() error) string {
	if outcome() != nil {
		return "!"
	}
	return ""
}

// A send between a decryption and its commit builds on the state in the database, does not wait for
// the handler, and neither resets the other's ratchet.
func TestSendBetweenDecryptionAndEvent(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		d := pair(t, s.Devices.NewDevice(), 1)
		check(t, d.Sessions.PutManySessions(ctx, map[string][]byte{"1:0": []byte("0")}))
		for _, outcome := range []func() error{fine, full} {
			check(t, d.Sessions.PutManySessions(ctx, map[string][]byte{"1:0": []byte("0")}))
			check(t, receive(ctx, d, "1:0", hashOf("read"+now(outcome)), "0 received"))
			from := session.Decrypted(d)
			got := must[map[string][]byte](t)(d.Sessions.GetManySessions(ctx, []string{"1:0"}))
			expect(t, "what a send builds on", string(got["1:0"]), inTable(t, s, d, "1:0"))
			check(t, d.Sessions.PutManySessions(ctx, map[string][]byte{"1:0": []byte("0 sent")}))
			expect(t, "the ratchet after the send", inTable(t, s, d, "1:0"), "0 sent")
			stored := beginEvent(ctx, s, from, event(clicked, "shop", "read"+now(outcome)), completed(outcome), new(bool))
			if err := stored(); !errors.Is(err, outcome()) {
				t.Errorf("the event: %v", err)
			}
			expect(t, "the ratchet after the event", inTable(t, s, d, "1:0"), "0 sent")
			b := must[*wastore.BufferedEvent](t)(d.EventBuffer.GetBufferedEvent(ctx, hashOf("read"+now(outcome))))
			if b == nil || (b.Plaintext == nil) != (outcome() == nil) {
				t.Errorf("the message is %+v after %v", b, outcome())
			}
			check(t, receive(ctx, d, "1:0", hashOf("next"+now(outcome)), "0 sent, received"))
			check(t, d.EventBuffer.ClearBufferedEventPlaintext(ctx, hashOf("next"+now(outcome))))
			expect(t, "the next message's", inTable(t, s, d, "1:0"), "0 sent, received")
		}
	})
}

// If another process has taken the instance over and advanced the ratchet, a decryption of this
// process does not overwrite it.
func TestRatchetOfAnotherProcess(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		d := pair(t, s.Devices.NewDevice(), 1)
		check(t, arrive(t, s, d, "a", "one", fine)())
		other := must[*wastore.Device](t)(s.Devices.Device(ctx, *d.ID))
		check(t, other.Sessions.PutManySessions(ctx, map[string][]byte{"1:0": []byte("one, sent by the other")}))
		if err := arrive(t, s, d, "b", "two", fine)(); err == nil {
			t.Error("the other's ratchet was written over")
		}
		expect(t, "the ratchet", inTable(t, s, d, "1:0"), "one, sent by the other")
		session.Arm(d, func(error) {})
		expect(t, "what the next line begins with", string(must[[]byte](t)(d.Sessions.GetSession(ctx, "1:0"))), "one, sent by the other")
	})
}

// The memos are cleared for the next connection, because another process may have written the
// tables meanwhile.
func TestNextLineReadsAnew(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		d := pair(t, s.Devices.NewDevice(), 1)
		check(t, d.Identities.PutIdentity(ctx, "1:0", [32]byte{1}))
		check(t, d.NCTSalt.PutNCTSalt(ctx, []byte("old")))
		must[[]byte](t)(d.NCTSalt.GetNCTSalt(ctx))
		other := must[*wastore.Device](t)(s.Devices.Device(ctx, *d.ID))
		check(t, other.Identities.PutIdentity(ctx, "1:0", [32]byte{2}))
		check(t, other.NCTSalt.PutNCTSalt(ctx, []byte("new")))
		session.Arm(d, func(error) {})
		if !must[bool](t)(d.Identities.IsTrustedIdentity(ctx, "1:0", [32]byte{2})) {
			t.Error("the identity is the one of the line before")
		}
		expect(t, "the salt", string(must[[]byte](t)(d.NCTSalt.GetNCTSalt(ctx))), "new")
	})
}
