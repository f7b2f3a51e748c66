package session

import (
	"context"
	"errors"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// PutIdentity stores a key that is new or changed. During a send the key is stored later, with the
// message's ratchets.
func (d *sessions) PutIdentity(ctx context.Context, address string, key [32]byte) error {
	if known, ok, _ := d.identities.Get(address); ok && known == key {
		return nil
	}
	if dec := decrypting(ctx); dec != nil {
		if dec.memory != nil {
			return dec.memory.leave()
		}
		dec.until(d.identities.Write(func(k string) bool { return k == address }))
		return d.guarded.PutIdentity(ctx, address, key)
	}
	if s := sendingOf(ctx); s != nil {
		s.identities[address] = key
		return nil
	}
	return d.identities.Set(address, key, func() error {
		return d.write(ctx, "store the identity", func(t *sqldb.Tx) error { return d.insertIdentity(t, address, key) })
	})
}

func (d *sessions) insertIdentity(t *sqldb.Tx, address string, key [32]byte) error {
	return t.Later(`INSERT INTO whatsmeow_identity_keys (our_jid, their_id, identity) VALUES ($1, $2, $3)
		ON CONFLICT (our_jid, their_id) DO UPDATE SET identity = excluded.identity`, d.JID, address, key[:])
}

// IsTrustedIdentity compares with the known key; the first one of an address is trusted.
func (d *sessions) IsTrustedIdentity(ctx context.Context, address string, key [32]byte) (bool, error) {
	if s := sendingOf(ctx); s != nil {
		if one, ok := s.identities[address]; ok {
			return one == key, nil
		}
	}
	known, ok, ticket := d.identities.Get(address)
	if ok {
		return known == key, nil
	}
	if dec := decrypting(ctx); dec != nil && dec.memory == nil {
		return d.guarded.IsTrustedIdentity(ctx, address, key)
	}
	stored, err := read(ctx, &d.guarded, func(ctx context.Context) (stored []byte, err error) {
		err = d.devices.db.Row(sqldb.Concerning(ctx, ratchet{address: address}.name(d.JID)), `SELECT identity FROM whatsmeow_identity_keys WHERE our_jid = $1 AND their_id = $2`,
			[]any{d.JID, address}, &stored)
		if errors.Is(err, sqldb.ErrNotFound) {
			return nil, nil
		}
		return stored, err
	})
	if err != nil || len(stored) != len(known) {
		return err == nil && stored == nil, err
	}
	known = [32]byte(stored)
	d.identities.Fill(address, known, ticket)
	return known == key, nil
}

// DeleteIdentity forgets the key of one address.
func (d *sessions) DeleteIdentity(ctx context.Context, address string) error {
	return d.change(ctx, func() error { return d.guarded.DeleteIdentity(ctx, address) }, address)
}

// DeleteAllIdentities forgets the keys of all of a user's devices.
func (d *sessions) DeleteAllIdentities(ctx context.Context, user string) error {
	return d.change(ctx, func() error { return d.guarded.DeleteAllIdentities(ctx, user) }, user+":")
}

// RemovePreKey deletes a key that was used.
func (d *sessions) RemovePreKey(ctx context.Context, id uint32) error {
	if dec := inMemory(ctx); dec != nil {
		return dec.leave()
	}
	return d.guarded.RemovePreKey(ctx, id)
}
