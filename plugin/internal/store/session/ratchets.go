package session

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// read returns the state of a ratchet that the caller may build on: for a message that is being
// decrypted, the state that the messages before it have left; for everybody else, the state in the
// database.
func (d *sessions) read(ctx context.Context, r ratchet, query func(context.Context) ([]byte, error)) ([]byte, error) {
	dec := decrypting(ctx)
	if dec != nil && dec.memory == nil {
		return query(ctx)
	}
	if failure := d.failure.Load(); failure != nil {
		return nil, failure
	}
	if dec == nil {
		d.flushed(ctx, r)
		return d.remember(ctx, r, query)
	}
	if now, ok := dec.memory.moved[r]; ok {
		return now, nil
	}
	if was, ok := dec.memory.base[r]; ok {
		return was, nil
	}
	was, ok := d.pending.value(r)
	if !ok {
		var err error
		if was, err = d.remember(ctx, r, query); err != nil {
			return nil, err
		}
	}
	dec.memory.base[r] = was
	return was, nil
}

// remember reads a committed ratchet, from memory if it can.
func (d *sessions) remember(ctx context.Context, r ratchet, query func(context.Context) ([]byte, error)) ([]byte, error) {
	v, ok, ticket := d.known.Get(r)
	if ok {
		return v, nil
	}
	v, err := query(sqldb.Concerning(ctx, r.name(d.JID)))
	if err == nil {
		d.known.Fill(r, v, ticket)
	}
	return v, err
}

// flushed waits until the database has the newest state of the ratchets. A send must not build on a
// ratchet whose decryption could still be dropped.
func (d *sessions) flushed(ctx context.Context, ratchets ...ratchet) {
	if slices.ContainsFunc(ratchets, func(r ratchet) bool { _, ahead := d.pending.value(r); return ahead }) {
		d.flush(ctx)
	}
}

// moved takes the new state of a ratchet that a decryption has advanced.
func (d *sessions) moved(ctx context.Context, r ratchet, now []byte, write func() error) error {
	dec := decrypting(ctx)
	if dec.memory == nil {
		dec.until(d.known.Write(func(k ratchet) bool { return k == r }))
		return write()
	}
	query := func(ctx context.Context) ([]byte, error) {
		if r.group != "" {
			return d.guarded.GetSenderKey(ctx, r.group, r.address)
		}
		return d.guarded.GetSession(ctx, r.address)
	}
	if _, err := d.read(ctx, r, query); err != nil {
		return err
	}
	dec.memory.moved[r] = now
	return nil
}

// storing runs a write that can no longer be lost when it returns.
type storing func(ctx context.Context, what string, about []string, fn func(*sqldb.Tx) error) error

// committed is the storing that waits for the rows.
func (d *sessions) committed(ctx context.Context, what string, _ []string, fn func(*sqldb.Tx) error) error {
	return d.devices.db.Write(ctx, what, fn)
}

// ahead is the storing that lets the rows follow. While a power cut could lose a decryption, a
// ratchet that builds on it must not outlive it: WhatsApp delivers the message again, and a ratchet
// that is past the message cannot decrypt it.
func (d *sessions) ahead(ctx context.Context, what string, about []string, fn func(*sqldb.Tx) error) error {
	if !d.devices.db.OnDisk(d.decrypted.Load()) {
		return d.committed(ctx, what, about, fn)
	}
	return d.devices.db.WriteAhead(ctx, what, about, fn)
}

// putRatchets has commit write ratchets that no decryption has advanced. A decryption that is
// waiting to be stored goes first, so that it does not reset them.
func (d *sessions) putRatchets(ctx context.Context, ratchets map[ratchet][]byte,
	commit func(ctx context.Context, store storing, about []string, fn func(*sqldb.Tx) error) error) error {
	d.ratchets.Lock()
	defer d.ratchets.Unlock()
	d.resting.Reset(idle)
	store := d.ahead
	if dec := d.spill(ctx); dec != nil {
		store = d.committed
		defer func() { _ = dec.end() }() // if later decryptions build on it, an error ends the connection
	}
	about := make([]string, 0, len(ratchets)+4)
	for r := range ratchets {
		about = append(about, r.name(d.JID))
	}
	return d.known.SetAll(ratchets, func() error {
		err := commit(ctx, store, about, func(t *sqldb.Tx) error {
			for r, now := range ratchets {
				if err := r.put(t, d.JID, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			d.pending.overtake(ratchets)
		}
		return err
	})
}

// name is the name that writes of a ratchet, and of the identity of its device, concern.
func (r ratchet) name(jid string) string { return "ratchet/" + jid + "/" + r.group + "/" + r.address }

// put writes a ratchet, whatever is stored.
func (r ratchet) put(t *sqldb.Tx, jid string, now []byte) error {
	if r.group == "" {
		return t.Last(r.name(jid), `INSERT INTO whatsmeow_sessions (our_jid, their_id, session) VALUES ($1, $2, $3)
			ON CONFLICT (our_jid, their_id) DO UPDATE SET session = excluded.session`, jid, r.address, now)
	}
	return t.Last(r.name(jid), `INSERT INTO whatsmeow_sender_keys (our_jid, chat_id, sender_id, sender_key) VALUES ($1, $2, $3, $4)
		ON CONFLICT (our_jid, chat_id, sender_id) DO UPDATE SET sender_key = excluded.sender_key`, jid, r.group, r.address, now)
}

// move writes a ratchet if the stored state is still was: another process may have taken the
// instance over.
func (r ratchet) move(t *sqldb.Tx, jid string, was, now []byte) error {
	one := func(query string, args ...any) error {
		return t.Then(query, args, nil, func(n int64) error {
			if n == 0 {
				return errMoved
			}
			return nil
		})
	}
	switch {
	case bytes.Equal(was, now):
		return nil
	case r.group == "" && was == nil:
		return one(`INSERT INTO whatsmeow_sessions (our_jid, their_id, session) VALUES ($1, $2, $3)
			ON CONFLICT (our_jid, their_id) DO NOTHING`, jid, r.address, now)
	case r.group == "":
		return one(`UPDATE whatsmeow_sessions SET session = $1 WHERE our_jid = $2 AND their_id = $3 AND session = $4`,
			now, jid, r.address, was)
	case was == nil:
		return one(`INSERT INTO whatsmeow_sender_keys (our_jid, chat_id, sender_id, sender_key) VALUES ($1, $2, $3, $4)
			ON CONFLICT (our_jid, chat_id, sender_id) DO NOTHING`, jid, r.group, r.address, now)
	default:
		return one(`UPDATE whatsmeow_sender_keys SET sender_key = $1 WHERE our_jid = $2 AND chat_id = $3 AND sender_id = $4 AND sender_key = $5`,
			now, jid, r.group, r.address, was)
	}
}

// change has write delete or move what is stored for the addresses with the prefixes, once
// everything that was decrypted is in the database.
func (d *sessions) change(ctx context.Context, write func() error, prefixes ...string) error {
	of := func(address string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(address, p) })
	}
	dec := decrypting(ctx)
	if dec != nil && dec.memory != nil {
		return dec.memory.leave()
	}
	if dec == nil {
		d.ratchets.Lock()
		defer d.ratchets.Unlock()
		d.flush(ctx)
	}
	ends := []func(){d.known.Write(func(r ratchet) bool { return of(r.address) }), d.identities.Write(of)}
	defer func() {
		for _, end := range ends {
			if dec != nil {
				dec.until(end)
			} else {
				end()
			}
		}
	}()
	return write()
}

// GetSession reads a session.
func (d *sessions) GetSession(ctx context.Context, address string) ([]byte, error) {
	return d.read(ctx, ratchet{address: address}, func(ctx context.Context) ([]byte, error) { return d.guarded.GetSession(ctx, address) })
}

// HasSession looks for a session.
func (d *sessions) HasSession(ctx context.Context, address string) (bool, error) {
	session, err := d.GetSession(ctx, address)
	return session != nil, err
}

// GetSenderKey reads the key of a group's member.
func (d *sessions) GetSenderKey(ctx context.Context, group, user string) ([]byte, error) {
	return d.read(ctx, ratchet{group, user}, func(ctx context.Context) ([]byte, error) { return d.guarded.GetSenderKey(ctx, group, user) })
}

// readSessions reads the sessions that a message is about to use.
func (d *sessions) readSessions(ctx context.Context, addresses []string) (map[string][]byte, error) {
	if dec := decrypting(ctx); dec != nil {
		if dec.memory != nil {
			return nil, dec.memory.leave()
		}
		return d.guarded.GetManySessions(ctx, addresses)
	}
	if failure := d.failure.Load(); failure != nil {
		return nil, failure
	}
	ratchets := make([]ratchet, len(addresses))
	for i, address := range addresses {
		ratchets[i] = ratchet{address: address}
	}
	d.flushed(ctx, ratchets...)
	var missing []string
	var asked uint64
	found := make(map[string][]byte, len(addresses))
	for i, r := range ratchets {
		session, ok, ticket := d.known.Get(r)
		if ok {
			found[r.address] = session
			continue
		}
		if len(missing) == 0 {
			asked = ticket
		}
		missing = append(missing, addresses[i])
	}
	if len(missing) == 0 {
		return found, nil
	}
	names := make([]string, len(missing))
	for i, address := range missing {
		names[i] = ratchet{address: address}.name(d.JID)
	}
	stored, err := d.guarded.GetManySessions(sqldb.Concerning(ctx, names...), missing)
	for address, session := range stored {
		found[address] = session
		if len(addresses) <= ratchetsKept/4 { // a large group would push out everything else
			d.known.Fill(ratchet{address: address}, session, asked)
		}
	}
	return found, err
}

// DeleteSession deletes one.
func (d *sessions) DeleteSession(ctx context.Context, address string) error {
	return d.change(ctx, func() error { return d.guarded.DeleteSession(ctx, address) }, address)
}

// DeleteAllSessions deletes a user's.
func (d *sessions) DeleteAllSessions(ctx context.Context, user string) error {
	return d.change(ctx, func() error { return d.guarded.DeleteAllSessions(ctx, user) }, user+":")
}

// MigratePNToLID moves what is stored under the phone number to the LID. whatsmeow calls it for
// every message, but only the first call has an effect.
func (d *sessions) MigratePNToLID(ctx context.Context, pn, lid types.JID) error {
	from := pn.SignalAddressUser()
	_, done, ticket := d.migrated.Get(from)
	if done {
		return nil
	}
	err := d.change(ctx, func() error { return d.guarded.MigratePNToLID(ctx, pn, lid) }, from+":", lid.SignalAddressUser()+":")
	if err == nil {
		d.migrated.Fill(from, struct{}{}, ticket)
	}
	return err
}
