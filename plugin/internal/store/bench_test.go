package store_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waAdv"
	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/store"

	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/plugin/internal/store/session"

	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
)

// BenchmarkSend measures the SQL of one warm 1:1 message to two devices, as
// whatsmeow's SendMessage issues it: bare is whatsmeow's own store on the same
// driver and pragmas; stored is this package's; ledger adds the intent and the
// outcome, which bare does not have. Compare them within one run.
//
//	go test -run - -bench Send ./plugin/internal/store
func BenchmarkSend(b *testing.B) {
	for _, relaxed := range []bool{false, true} {
		sync := map[bool]string{false: "full", true: "normal"}[relaxed]
		for _, clients := range []int{1, 50} {
			name := func(kind string) string { return fmt.Sprintf("sync=%s/clients=%d/%s", sync, clients, kind) }
			b.Run(name("bare"), func(b *testing.B) { benchSend(b, clients, bareDevices(b, relaxed, clients), nil) })
			s := openBench(b, relaxed)
			devices := ourDevices(b, s, clients)
			b.Run(name("stored"), func(b *testing.B) { benchSend(b, clients, devices, nil) })
			b.Run(name("ledger"), func(b *testing.B) { benchSend(b, clients, devices, s) })
		}
	}
}

func openBench(b *testing.B, relaxed bool) *store.Store {
	s, err := store.Open(b.Context(), store.Options{Dir: b.TempDir(), Relaxed: relaxed})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// benchSend has every client send its share, one message at a time, as whatsmeow does.
func benchSend(b *testing.B, clients int, devices []*wastore.Device, full *store.Store) {
	b.ReportAllocs()
	var next, key atomic.Int64
	run := fmt.Sprint(time.Now().UnixNano())
	b.SetParallelism((clients + 1) / 2)
	b.RunParallel(func(pb *testing.PB) {
		d := devices[int(next.Add(1)-1)%len(devices)]
		for pb.Next() {
			if full == nil {
				sendSQL(b.Context(), b, d)
				continue
			}
			c, err := full.Ledger.Begin(b.Context(), "op", fmt.Sprint(run, key.Add(1)), "shop", "f")
			if err != nil {
				b.Error(err)
				return
			}
			full.Ledger.Intend(c, ledger.Plan{Chat: ada, Message: make([]byte, 400), Menu: &menus.Menu{}})
			sendSQL(session.WithFanout(b.Context(), everyDevice{}, &session.Rider{Write: c.Store, About: c.About()}), b, d)
			if err := full.Ledger.Conclude(b.Context(), c, ledger.Outcome{State: ledger.Sent, JSON: []byte(`{}`)}); err != nil {
				b.Error(err)
			}
			c.Release()
		}
	})
}

var peer = types.NewJID("123456789012345", types.HiddenUserServer)

// sendSQL makes the calls that SendMessage makes to its stores, in the same order (whatsmeow
// send.go, libsignal SessionCipher.Encrypt), with sessions of a usual size.
func sendSQL(ctx context.Context, b *testing.B, d *wastore.Device) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	fail := func(err error) {
		if err != nil {
			b.Error(err)
		}
	}
	addresses := []string{peer.SignalAddress().String(), d.ID.ToNonAD().SignalAddress().String()}
	_, err := d.LIDs.GetPNForLID(ctx, peer)
	fail(err)
	_, err = d.Sessions.GetManySessions(ctx, addresses)
	fail(err)
	ratchets := make(map[string][]byte, len(addresses))
	for _, address := range addresses {
		_, err = d.Identities.IsTrustedIdentity(ctx, address, [32]byte{1})
		fail(err)
		fail(d.Identities.PutIdentity(ctx, address, [32]byte{1}))
		ratchet := make([]byte, 1500)
		_, _ = rand.Read(ratchet)
		ratchets[address] = ratchet
	}
	fail(d.Sessions.PutManySessions(ctx, ratchets))
	_, err = d.PrivacyTokens.GetPrivacyToken(ctx, peer)
	fail(err)
	_, err = d.NCTSalt.GetNCTSalt(ctx)
	fail(err)
}

func bareDevices(b *testing.B, relaxed bool, n int) []*wastore.Device {
	sync := map[bool]string{false: "FULL", true: "NORMAL"}[relaxed]
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "bare.db")+
		"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous("+sync+")")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	c := sqlstore.NewWithDB(db, "sqlite3", nil)
	if err := c.Upgrade(b.Context()); err != nil {
		b.Fatal(err)
	}
	devices := make([]*wastore.Device, n)
	for i := range devices {
		devices[i] = pair(b, c.NewDevice(), i)
	}
	return devices
}

func ourDevices(b *testing.B, s *store.Store, n int) []*wastore.Device {
	devices := make([]*wastore.Device, n)
	for i := range devices {
		devices[i] = pair(b, s.Devices.NewDevice(), i)
	}
	return devices
}

// pair stores a device as a successful pairing does.
func pair(t testing.TB, d *wastore.Device, i int) *wastore.Device {
	jid := types.NewADJID(fmt.Sprintf("55119%08d", i), 0, 1)
	d.ID = &jid
	d.Account = &waAdv.ADVSignedDeviceIdentity{
		Details: []byte{1}, AccountSignature: make([]byte, 64), AccountSignatureKey: make([]byte, 32), DeviceSignature: make([]byte, 64),
	}
	if err := d.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// BenchmarkReceive measures the SQL of one incoming message from a known device,
// as whatsmeow issues it with the decrypted event buffer: the decryption's
// transaction, then the mark that it was handled. stored adds the event that bare
// does not have.
func BenchmarkReceive(b *testing.B) {
	for _, clients := range []int{1, 50} {
		name := func(kind string) string { return fmt.Sprintf("clients=%d/%s", clients, kind) }
		b.Run(name("bare"), func(b *testing.B) { benchReceive(b, clients, bareDevices(b, false, clients), nil) })
		s := openBench(b, false)
		devices := ourDevices(b, s, clients)
		b.Run(name("stored"), func(b *testing.B) { benchReceive(b, clients, devices, s) })
	}
}

func benchReceive(b *testing.B, clients int, devices []*wastore.Device, s *store.Store) {
	b.ReportAllocs()
	var next, serial atomic.Int64
	run := fmt.Sprint(time.Now().UnixNano())
	b.SetParallelism((clients + 1) / 2)
	b.RunParallel(func(pb *testing.PB) {
		d := devices[int(next.Add(1)-1)%len(devices)]
		for pb.Next() {
			id := fmt.Sprint(run, serial.Add(1))
			receiveSQL(b, d, id)
			if s == nil {
				continue
			}
			if _, err := appendEvent(b.Context(), s, outbox.Event{ID: id, Type: clicked, Data: make([]byte, 400)}); err != nil {
				b.Error(err)
			}
		}
	})
}

// receiveSQL makes the calls that whatsmeow's decryptDM makes to its stores, in the same order.
func receiveSQL(b *testing.B, d *wastore.Device, id string) {
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	hash, address := sha256.Sum256([]byte(id)), peer.SignalAddress().String()
	err := d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		_, err1 := d.Sessions.HasSession(ctx, address)
		_, err2 := d.Sessions.GetSession(ctx, address)
		_, err3 := d.Identities.IsTrustedIdentity(ctx, address, [32]byte{1})
		return errors.Join(err1, err2, err3, d.Identities.PutIdentity(ctx, address, [32]byte{1}),
			d.Sessions.PutSession(ctx, address, make([]byte, 1500)),
			d.EventBuffer.PutBufferedEvent(ctx, hash, make([]byte, 400), time.Now()))
	})
	if err = errors.Join(err, d.EventBuffer.ClearBufferedEventPlaintext(ctx, hash)); err != nil {
		b.Error(err)
	}
}
