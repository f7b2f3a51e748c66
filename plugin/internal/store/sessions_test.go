package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

// plain opens the same file with nothing but whatsmeow and the driver.
func plain(t *testing.T, dir string) *sqlstore.Container {
	t.Helper()
	db := must[*sql.DB](t)(sql.Open("sqlite", "file:"+filepath.Join(dir, "tapnode.db")+"?_pragma=foreign_keys(1)&_pragma=busy_timeout(5000)"))
	t.Cleanup(func() { _ = db.Close() })
	return sqlstore.NewWithDB(db, "sqlite3", nil)
}

func TestDeviceSurvives(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		d := pair(t, s.Devices.NewDevice(), 1)
		check(t, d.Sessions.PutManySessions(ctx, map[string][]byte{"1:0": []byte("ratchet"), "2:0": []byte("other")}))
		check(t, d.Identities.PutIdentity(ctx, "1:0", [32]byte{1}))

		again := must[*wastore.Device](t)(open().Devices.Device(ctx, *d.ID))
		got := must[map[string][]byte](t)(again.Sessions.GetManySessions(ctx, []string{"1:0", "2:0", "3:0"}))
		if string(got["1:0"]) != "ratchet" || string(got["2:0"]) != "other" || got["3:0"] != nil {
			t.Errorf("sessions after a restart: %q", got)
		}
		if ok := must[bool](t)(again.Identities.IsTrustedIdentity(ctx, "1:0", [32]byte{2})); ok {
			t.Error("a foreign identity is trusted after a restart")
		}
		check(t, again.Delete(ctx))
		if _, err := s.Devices.Device(ctx, *d.ID); !errors.Is(err, sqldb.ErrNotFound) {
			t.Errorf("deleted device: %v, want not found", err)
		}
	})
}

func TestPlainWhatsmeowReadsWhatWeWrite(t *testing.T) {
	dir := t.TempDir()
	s := must[*store.Store](t)(store.Open(t.Context(), store.Options{Dir: dir}))
	defer s.Close()
	ctx := t.Context()
	d := pair(t, s.Devices.NewDevice(), 1)
	check(t, d.Sessions.PutManySessions(ctx, map[string][]byte{"1:0": []byte("ratchet")}))
	check(t, d.Identities.PutIdentity(ctx, "1:0", [32]byte{1}))

	bare := must[*wastore.Device](t)(plain(t, dir).GetDevice(ctx, *d.ID))
	if got := must[[]byte](t)(bare.Sessions.GetSession(ctx, "1:0")); string(got) != "ratchet" {
		t.Errorf("session: %q", got)
	}
	if must[bool](t)(bare.Identities.IsTrustedIdentity(ctx, "1:0", [32]byte{2})) {
		t.Error("the identity was not written")
	}
}

func TestIdentityFollowsTheTable(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx := t.Context()
		d := pair(t, open().Devices.NewDevice(), 1)
		old, fresh := [32]byte{1}, [32]byte{2}
		trusted := func(what string, key [32]byte, want bool) {
			t.Helper()
			if got := must[bool](t)(d.Identities.IsTrustedIdentity(ctx, "1:0", key)); got != want {
				t.Errorf("%s: trusted %v, want %v", what, got, want)
			}
		}
		trusted("an unknown peer", fresh, true)
		check(t, d.Identities.PutIdentity(ctx, "1:0", old))
		trusted("a changed key", fresh, false)

		undo := errors.New("undo")
		err := d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
			if err := d.Identities.PutIdentity(ctx, "1:0", fresh); err != nil {
				return err
			}
			if got := must[bool](t)(d.Identities.IsTrustedIdentity(ctx, "1:0", fresh)); !got {
				t.Error("the transaction does not see its own key")
			}
			return undo
		})
		if !errors.Is(err, undo) {
			t.Errorf("transaction: %v", err)
		}
		trusted("the old key after an undone change", old, true)
		trusted("the new key after an undone change", fresh, false)

		check(t, d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
			if err := d.Identities.DeleteIdentity(ctx, "1:0"); err != nil {
				return err
			}
			return d.Identities.PutIdentity(ctx, "1:0", fresh)
		}))
		trusted("the old key after a change", old, false)
		check(t, d.Identities.DeleteAllIdentities(ctx, "1"))
		trusted("any key after all were deleted", old, true)

		check(t, d.Identities.PutIdentity(ctx, "55:0", old))
		check(t, d.Sessions.MigratePNToLID(ctx, types.NewJID("55", types.DefaultUserServer), types.NewJID("99", types.HiddenUserServer)))
		if must[bool](t)(d.Identities.IsTrustedIdentity(ctx, "99_1:0", fresh)) {
			t.Error("the identity did not move to the LID")
		}
	})
}

func TestPrivacyTokenFollowsBothTables(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx := t.Context()
		d := pair(t, open().Devices.NewDevice(), 1)
		pn, lid := types.NewJID("55", types.DefaultUserServer), types.NewJID("99", types.HiddenUserServer)
		token := func() string {
			t.Helper()
			for range 2 { // the second from memory
				got := must[*wastore.PrivacyToken](t)(d.PrivacyTokens.GetPrivacyToken(ctx, lid))
				if got != nil {
					got.Timestamp = time.Unix(1, 0) // the caller's copy
				}
			}
			got := must[*wastore.PrivacyToken](t)(d.PrivacyTokens.GetPrivacyToken(ctx, lid))
			if got == nil {
				return ""
			}
			return fmt.Sprint(string(got.Token), got.Timestamp.Unix())
		}
		put := func(value string, at int64) {
			t.Helper()
			check(t, d.PrivacyTokens.PutPrivacyTokens(ctx, wastore.PrivacyToken{User: pn, Token: []byte(value), Timestamp: time.Unix(at, 0)}))
		}
		expect := func(what, want string) {
			t.Helper()
			if got := token(); got != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		expect("none yet", "")
		put("a", 100)
		expect("stored under the number, the LID unknown", "")
		check(t, d.LIDs.PutLIDMapping(ctx, lid, pn))
		expect("found through the new mapping", "a100")
		put("b", 200)
		expect("replaced", "b200")
		must[int64](t)(d.PrivacyTokens.DeleteExpiredPrivacyTokens(ctx, time.Unix(300, 0)))
		expect("expired", "")
		put("c", 400)
		check(t, d.Delete(ctx))
		d = pair(t, open().Devices.NewDevice(), 1)
		expect("of a deleted and re-paired device", "")
	})
}

func TestSaltFollowsTheTable(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx := t.Context()
		d := pair(t, open().Devices.NewDevice(), 1)
		for _, step := range []struct {
			act  func() error
			want string
		}{
			{func() error { return nil }, ""},
			{func() error { return d.NCTSalt.PutNCTSalt(ctx, []byte("salt")) }, "salt"},
			{func() error { return d.NCTSalt.PutNCTSalt(ctx, []byte("new")) }, "new"},
			{func() error { return d.NCTSalt.DeleteNCTSalt(ctx) }, ""},
		} {
			check(t, step.act())
			for range 2 {
				if got := must[[]byte](t)(d.NCTSalt.GetNCTSalt(ctx)); string(got) != step.want {
					t.Errorf("salt %q, want %q", got, step.want)
				}
			}
		}
	})
}

// When many accounts receive and send at once in one database, none gets the error that it is
// locked, since whatsmeow would lose the message then.
func TestAccountsShareADatabase(t *testing.T) {
	onEach(t, store.Options{Relaxed: true}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		var wg sync.WaitGroup
		for i := range 30 {
			d := pair(t, s.Devices.NewDevice(), i)
			wg.Go(func() {
				for n := range 10 {
					hash := [32]byte{byte(i), byte(n)}
					check(t, d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
						_, err := d.Sessions.GetSession(ctx, "1:0")
						return errors.Join(err, d.Sessions.PutSession(ctx, "1:0", []byte{byte(n)}),
							d.EventBuffer.PutBufferedEvent(ctx, hash, []byte("text"), time.Unix(1, 0)))
					}))
					appendAll(t, s, event(clicked, fmt.Sprint(i), fmt.Sprint(i, "/", n)))
					check(t, d.EventBuffer.ClearBufferedEventPlaintext(ctx, hash))
				}
			})
			wg.Go(func() {
				for n := range 10 {
					check(t, d.Sessions.PutManySessions(ctx, map[string][]byte{"2:0": {byte(n)}}))
				}
			})
		}
		wg.Wait()
		if got, _ := ids(t, s, nil, outbox.Filter{}); len(got) != 300 {
			t.Errorf("%d events, want 300", len(got))
		}
	})
}

// A batch of keys and single keys requested at the same time neither block each other nor get the
// same id, and all of them are stored.
func TestPreKeys(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		d := pair(t, s.Devices.NewDevice(), 1)
		var mu sync.Mutex
		ids := map[uint32]bool{}
		note := func(list ...*keys.PreKey) {
			mu.Lock()
			defer mu.Unlock()
			for _, k := range list {
				if ids[k.KeyID] {
					t.Errorf("key %d was made twice", k.KeyID)
				}
				ids[k.KeyID] = true
			}
		}
		var work sync.WaitGroup
		work.Go(func() {
			list, err := d.PreKeys.GetOrGenPreKeys(ctx, 50)
			if err != nil || len(list) != 50 {
				t.Errorf("got %d keys, want 50: %v", len(list), err)
			}
			note(list...)
		})
		for range 8 {
			work.Go(func() {
				k, err := d.PreKeys.GenOnePreKey(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				note(k)
			})
		}
		work.Wait()
		for id := range ids {
			if k, err := d.PreKeys.GetPreKey(ctx, id); err != nil || k == nil {
				t.Errorf("key %d is not stored: %v", id, err)
			}
		}
	})
}

// A failing store is not treated as a message that cannot be decrypted: its error makes whatsmeow
// leave the message at the server, and every call fails until the next connection.
func TestFailedStoreIsNoBadMessage(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		d := pair(t, s.Devices.NewDevice(), 1)
		var told []error
		arm := func() { session.Arm(d, func(err error) { told = append(told, err) }) }
		rename := func(from, to string) {
			t.Helper()
			check(t, errOf(s.DB.SQL().ExecContext(ctx, `ALTER TABLE `+from+` RENAME TO `+to)))
		}
		arm()
		rename("whatsmeow_event_buffer", "hidden")
		fails := func(what string, err error) {
			t.Helper()
			if failed := (*session.Error)(nil); !errors.As(err, &failed) || !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want an error after which whatsmeow says nothing", what, err)
			}
		}
		fails("the buffer", errOf(d.EventBuffer.GetBufferedEvent(ctx, [32]byte{1})))
		fails("a session, whose table works", errOf(d.Sessions.GetSession(ctx, "1:0")))
		fails("a LID", errOf(d.LIDs.GetLIDForPN(ctx, types.NewJID("55", types.DefaultUserServer))))
		fails("a transaction", d.EventBuffer.DoDecryptionTxn(ctx, func(context.Context) error { return nil }))
		rename("hidden", "whatsmeow_event_buffer")
		fails("the buffer before the next connection", errOf(d.EventBuffer.GetBufferedEvent(ctx, [32]byte{1})))
		if len(told) != 1 {
			t.Errorf("told of %d failures, want the first: %v", len(told), told)
		}
		arm()
		check(t, errOf(d.EventBuffer.GetBufferedEvent(ctx, [32]byte{1})))

		bad := errors.New("the message is no good")
		if err := d.EventBuffer.DoDecryptionTxn(ctx, func(context.Context) error { return bad }); !errors.Is(err, bad) || errors.Is(err, context.Canceled) {
			t.Errorf("a message that cannot be decrypted: %v", err)
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		_ = errOf(d.Sessions.GetSession(gone, "1:0"))
		check(t, errOf(d.Sessions.GetSession(ctx, "1:0"))) // a cancelled caller is not a failure
	})
}

// The buffer of handled messages is emptied by the sweeper, on an index, and not by the
// first message after a start, which would read all of it.
func TestEventBufferIsSwept(t *testing.T) {
	c := &clock{t: time.Now()} // whatsmeow sets the time of the rows itself
	onEach(t, store.Options{Now: c.now}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		d := pair(t, s.Devices.NewDevice(), 1)
		const old = 1_200
		for i := range old {
			hash := [32]byte{byte(i), byte(i >> 8)}
			check(t, d.EventBuffer.PutBufferedEvent(ctx, hash, []byte("text"), time.Now()))
		}
		check(t, d.EventBuffer.DeleteOldBufferedHashes(ctx))
		check(t, s.Sweep(ctx))
		if n := rows(t, s)["whatsmeow_event_buffer"]; n != old {
			t.Errorf("%d rows after a sweep in time, want %d", n, old)
		}
		c.add(16 * 24 * time.Hour)
		check(t, s.Sweep(ctx))
		if n := rows(t, s)["whatsmeow_event_buffer"]; n != 0 {
			t.Errorf("%d rows are older than their time", n)
		}
		c.add(-16 * 24 * time.Hour)
		if s.DB.Dialect() != "sqlite3" {
			return
		}
		for query, plan := range must[map[string][]string](t)(s.DB.Plans(ctx, "whatsmeow_event_buffer")) {
			if strings.HasPrefix(query, "DELETE") && !strings.Contains(strings.Join(plan, " "), "tapnode_event_buffer_age") {
				t.Errorf("%s: %v", query, plan)
			}
		}
	})
}

// A send advances a ratchet while a message of the same person is decrypted. Whatever the order,
// the decryption does not reset the ratchet: otherwise the next send would use the same counter
// again, and the phone would take it for a duplicate and show nothing.
func TestDecryptionTakesNoRatchetBack(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx := t.Context()
		d := pair(t, open().Devices.NewDevice(), 1)
		check(t, d.Sessions.PutManySessions(ctx, map[string][]byte{"1:0": []byte("as it was")}))
		sent := make(chan error, 1)
		check(t, d.EventBuffer.DoDecryptionTxn(ctx, func(txn context.Context) error {
			before, err := d.Sessions.GetSession(txn, "1:0")
			if err != nil || string(before) != "as it was" {
				t.Errorf("%q, %v", before, err)
			}
			go func() { sent <- d.Sessions.PutManySessions(ctx, map[string][]byte{"1:0": []byte("as it was, sent")}) }()
			select { // until the send has come through, or waits
			case err := <-sent:
				sent <- err
			case <-time.After(300 * time.Millisecond):
			}
			return d.Sessions.PutSession(txn, "1:0", append(before, ", received"...))
		}))
		check(t, <-sent)
		if got := must[[]byte](t)(d.Sessions.GetSession(ctx, "1:0")); string(got) != "as it was, sent" {
			t.Errorf("the ratchet is %q: what was sent is forgotten", got)
		}
	})
}
