package session

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tapnode/tapnode/internal/sqldb"
	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
)

// sessions is whatsmeow's SQL store of one device, without what every send
// repeats to no effect: libsignal saves the peer's unchanged identity key for each
// device it encrypts for (a commit and an fsync each time), and whatsmeow reads
// the privacy token and the NCT salt for each message. The ratchet is written on
// every send as before, in a transaction that other instances' writes may share.
type sessions struct {
	guarded
	devices *Devices

	// ratchets is held by a decryption from its read of a ratchet to its write, and by the
	// write of a send. On Postgres the two would come in between each other, and the
	// decryption would take the send's counter back.
	ratchets sync.Mutex

	keys      sync.Mutex    // held by the transaction that makes one-time keys, to its end
	decrypted atomic.Uint64 // commit of the device's last decryption, see sqldb.DB.Committed

	identities *memo[string, [32]byte]
	tokens     *memo[tokenKey, *wastore.PrivacyToken] // nil: there is none
	salt       *memo[struct{}, []byte]                // nil: there is none
}

var _ wastore.AllSessionSpecificStores = (*sessions)(nil)

// remembered is how many peers' identities and tokens a device keeps in memory.
const remembered = 1024

func newSessions(c *Devices, plain *sqlstore.SQLStore) *sessions {
	return &sessions{
		guarded: guarded{SQLStore: plain}, devices: c,
		identities: newMemo[string, [32]byte](remembered),
		tokens:     newMemo[tokenKey, *wastore.PrivacyToken](remembered),
		salt:       newMemo[struct{}, []byte](1),
	}
}

// write is a write of our own under the guard.
func (d *sessions) write(ctx context.Context, what string, fn func(*sqldb.Tx) error) error {
	return d.do(ctx, func(ctx context.Context) error { return d.devices.db.Write(ctx, what, fn) })
}

// PutManySessions commits the ratchets of a send before it returns.
func (d *sessions) PutManySessions(ctx context.Context, ratchets map[string][]byte) error {
	if decrypting(ctx) != nil {
		return d.guarded.PutManySessions(ctx, ratchets)
	}
	if s := sendingOf(ctx); s != nil {
		s.fanout.Encrypted(ratchets)
	}
	d.ratchets.Lock()
	defer d.ratchets.Unlock()
	return d.writeRatchets(ctx, func(t *sqldb.Tx) error {
		for address, ratchet := range ratchets {
			_, err := t.Exec(`INSERT INTO whatsmeow_sessions (our_jid, their_id, session) VALUES ($1, $2, $3)
				ON CONFLICT (our_jid, their_id) DO UPDATE SET session = excluded.session`, d.JID, address, ratchet)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// PutSenderKey commits the ratchet of a group before it returns. That of a send of ours comes
// before the ratchets of the devices that get the key.
func (d *sessions) PutSenderKey(ctx context.Context, group, user string, key []byte) error {
	if sendingOf(ctx) == nil {
		return d.guarded.PutSenderKey(ctx, group, user, key)
	}
	return d.writeRatchets(ctx, func(t *sqldb.Tx) error {
		_, err := t.Exec(`INSERT INTO whatsmeow_sender_keys (our_jid, chat_id, sender_id, sender_key) VALUES ($1, $2, $3, $4)
			ON CONFLICT (our_jid, chat_id, sender_id) DO UPDATE SET sender_key = excluded.sender_key`, d.JID, group, user, key)
		return err
	})
}

// PutSession stores the ratchet of a decryption, or of a message that is sent again to one
// device.
func (d *sessions) PutSession(ctx context.Context, address string, ratchet []byte) error {
	if decrypting(ctx) == nil {
		d.ratchets.Lock()
		defer d.ratchets.Unlock()
	}
	return d.guarded.PutSession(ctx, address, ratchet)
}

// PutIdentity writes a key that is new or changed.
func (d *sessions) PutIdentity(ctx context.Context, address string, key [32]byte) error {
	if known, ok, _ := d.identities.get(address); ok && known == key {
		return nil
	}
	if dec := decrypting(ctx); dec != nil {
		dec.until(d.identities.write(func(k string) bool { return k == address }))
		return d.guarded.PutIdentity(ctx, address, key)
	}
	return d.identities.set(address, key, func() error {
		return d.write(ctx, "store the identity", func(t *sqldb.Tx) error {
			_, err := t.Exec(`INSERT INTO whatsmeow_identity_keys (our_jid, their_id, identity) VALUES ($1, $2, $3)
				ON CONFLICT (our_jid, their_id) DO UPDATE SET identity = excluded.identity`, d.JID, address, key[:])
			return err
		})
	})
}

// IsTrustedIdentity compares with the known key.
func (d *sessions) IsTrustedIdentity(ctx context.Context, address string, key [32]byte) (bool, error) {
	if known, ok, _ := d.identities.get(address); ok {
		return known == key, nil
	}
	return d.guarded.IsTrustedIdentity(ctx, address, key)
}

// DeleteIdentity forgets the key of one address.
func (d *sessions) DeleteIdentity(ctx context.Context, address string) error {
	defer d.forget(ctx, d.identities, address)()
	return d.guarded.DeleteIdentity(ctx, address)
}

// DeleteAllIdentities forgets the keys of all of a user's devices.
func (d *sessions) DeleteAllIdentities(ctx context.Context, user string) error {
	defer d.forget(ctx, d.identities, user+":")()
	return d.guarded.DeleteAllIdentities(ctx, user)
}

// MigratePNToLID moves what is stored under the phone number to the LID.
func (d *sessions) MigratePNToLID(ctx context.Context, pn, lid types.JID) error {
	defer d.forget(ctx, d.identities, pn.SignalAddressUser()+":", lid.SignalAddressUser()+":")()
	return d.guarded.MigratePNToLID(ctx, pn, lid)
}

// forget drops the addresses with these prefixes for the time of a write: until
// the decryption's transaction ends, or until the function it returns is called.
func (d *sessions) forget(ctx context.Context, m *memo[string, [32]byte], prefixes ...string) (end func()) {
	end = m.write(func(address string) bool {
		for _, p := range prefixes {
			if strings.HasPrefix(address, p) {
				return true
			}
		}
		return false
	})
	if dec := decrypting(ctx); dec != nil {
		dec.until(end)
		return func() {}
	}
	return end
}
