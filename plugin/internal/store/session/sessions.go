package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/internal/sqldb/memo"
	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
)

// sessions is whatsmeow's SQL store of one device, without the work that every send repeats to no
// effect: libsignal saves the peer's unchanged identity key for each device it encrypts for (a
// commit and an fsync each time), and whatsmeow reads the privacy token and the NCT salt for each
// message. The ratchet is written on every send as before, in a transaction that other instances'
// writes may share.
type sessions struct {
	guarded
	devices *Devices

	// ratchets is held by a decryption while it advances a ratchet, in memory or in its
	// transaction, and by every other write of ratchets until the write is committed. Otherwise a
	// decryption could reset a send's counter.
	ratchets sync.Mutex

	keys      sync.Mutex    // held to its end by the transaction that makes one-time keys
	decrypted atomic.Uint64 // commit of the last decryption that was stored by itself, see sqldb.DB.Committed

	pending    pending
	known      *memo.Memo[ratchet, []byte] // value nil: there is no ratchet
	resting    *time.Timer                 // clears known
	migrated   *memo.Memo[string, struct{}]
	identities *memo.Memo[string, [32]byte]
	tokens     *memo.Memo[tokenKey, *wastore.PrivacyToken] // value nil: there is no token
	salt       *memo.Memo[struct{}, []byte]                // value nil: there is no salt
}

var _ wastore.AllSessionSpecificStores = (*sessions)(nil)

const (
	// remembered is how many peers' identities and tokens a device keeps in memory.
	remembered = 1024
	// Of ratchets, which are larger, it keeps a megabyte at most, and nothing when no message
	// has come or gone for a while.
	ratchetsKept, ratchetSize = 256, 4096
	idle                      = 10 * time.Minute
)

func newSessions(c *Devices, plain *sqlstore.SQLStore) *sessions {
	d := &sessions{
		guarded: guarded{SQLStore: plain}, devices: c,
		pending:    pending{ahead: make(map[ratchet]*Decryption)},
		known:      memo.New[ratchet, []byte](ratchetsKept),
		migrated:   memo.New[string, struct{}](remembered),
		identities: memo.New[string, [32]byte](remembered),
		tokens:     memo.New[tokenKey, *wastore.PrivacyToken](remembered),
		salt:       memo.New[struct{}, []byte](1),
	}
	d.known.Fits = func(ratchet []byte) bool { return len(ratchet) <= ratchetSize }
	d.resting = time.AfterFunc(idle, d.known.Forget)
	d.resting.Stop()
	return d
}

// forget clears what is remembered of the tables: another process may have written them.
func (d *sessions) forget() {
	d.resting.Stop()
	d.known.Forget()
	d.migrated.Forget()
	d.identities.Forget()
	d.tokens.Forget()
	d.salt.Forget()
}

// write runs a write of our own under the guard.
func (d *sessions) write(ctx context.Context, what string, fn func(*sqldb.Tx) error) error {
	return d.do(ctx, func(ctx context.Context) error { return d.devices.db.Write(ctx, what, fn) })
}

// PutManySessions commits the ratchets of a send before it returns.
func (d *sessions) PutManySessions(ctx context.Context, ratchets map[string][]byte) error {
	if dec := decrypting(ctx); dec != nil {
		if dec.memory != nil {
			return dec.memory.leave()
		}
		return d.guarded.PutManySessions(ctx, ratchets)
	}
	if s := sendingOf(ctx); s != nil {
		s.fanout.Encrypted(ratchets)
	}
	moved := make(map[ratchet][]byte, len(ratchets))
	for address, now := range ratchets {
		moved[ratchet{address: address}] = now
	}
	return d.putRatchets(ctx, moved, d.writeRatchets)
}

// PutSenderKey commits the ratchet of a group before it returns. In a send it runs before the
// ratchets of the devices that get the key are stored.
func (d *sessions) PutSenderKey(ctx context.Context, group, user string, key []byte) error {
	r := ratchet{group, user}
	if decrypting(ctx) != nil {
		return d.moved(ctx, r, key, func() error { return d.guarded.PutSenderKey(ctx, group, user, key) })
	}
	return d.putRatchets(ctx, map[ratchet][]byte{r: key}, d.writeRatchets)
}

// PutSession stores the ratchet of a decryption, or of a message that is sent again to one
// device.
func (d *sessions) PutSession(ctx context.Context, address string, session []byte) error {
	r := ratchet{address: address}
	if decrypting(ctx) != nil {
		return d.moved(ctx, r, session, func() error { return d.guarded.PutSession(ctx, address, session) })
	}
	return d.putRatchets(ctx, map[ratchet][]byte{r: session},
		func(ctx context.Context, store storing, about []string, fn func(*sqldb.Tx) error) error {
			return d.do(ctx, func(ctx context.Context) error { return store(ctx, "store the ratchet", about, fn) })
		})
}
