package session

import (
	"context"
	"time"

	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/util/keys"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// decryption is the place where a message is decrypted: memory, or a transaction of the database. A
// transaction may be undone, so the memos of what it writes stay closed until it ends.
type decryption struct {
	memory    *Decryption // nil: a transaction
	ends      []func()
	numbering bool // it holds sessions.keys
}

type decryptionKey struct{}

// decrypting returns the decryption that ctx belongs to, or nil.
func decrypting(ctx context.Context) *decryption {
	d, _ := ctx.Value(decryptionKey{}).(*decryption)
	return d
}

// until calls end when the transaction is over.
func (d *decryption) until(end func()) { d.ends = append(d.ends, end) }

// inMemory returns the message that is being decrypted in memory, or nil.
func inMemory(ctx context.Context) *Decryption {
	if d := decrypting(ctx); d != nil {
		return d.memory
	}
	return nil
}

// leave ends a decryption in memory, because it needs a transaction.
func (dec *Decryption) leave() error {
	dec.more = true
	return errMore
}

// DoDecryptionTxn runs fn in memory; the result is stored together with what the message becomes,
// see [Decryption]. If fn needs more than ratchets and the mark, e.g. because it uses up a one-time
// key, it runs again in whatsmeow's transaction. That transaction is not synced: before WhatsApp
// gets its acknowledgement, the write of the message's event or else ClearBufferedEventPlaintext
// takes it to the disk.
func (d *sessions) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	if dec := decrypting(ctx); dec != nil {
		if dec.memory != nil {
			return dec.memory.leave()
		}
		return d.guarded.DoDecryptionTxn(ctx, fn)
	}
	if failure := d.failure.Load(); failure != nil {
		return failure
	}
	d.ratchets.Lock()
	defer d.ratchets.Unlock()
	d.resting.Reset(idle)
	d.leftOver(ctx)
	dec := &Decryption{store: d, base: map[ratchet][]byte{}, moved: map[ratchet][]byte{}, after: d.pending.newest()}
	err := fn(context.WithValue(ctx, decryptionKey{}, &decryption{memory: dec}))
	if !dec.more {
		if err == nil {
			d.pending.add(dec)
		}
		return err
	}
	if err = d.transaction(sqldb.Unsynced(ctx), fn); err == nil {
		d.decrypted.Store(d.devices.db.Committed())
	}
	return err
}

// leftOver stores the decryption of a message that was never handled, because whatsmeow could
// decrypt it but not read it.
func (d *sessions) leftOver(ctx context.Context) {
	if dec := d.spill(ctx); dec != nil {
		_ = dec.end() // if later decryptions build on it, an error ends the connection
	}
}

// transaction runs fn, which calls methods of d, in one transaction of the database. The caller
// holds d.ratchets.
func (d *sessions) transaction(ctx context.Context, fn func(context.Context) error) error {
	d.flush(ctx)
	// Waiting here rather than for a connection leaves the other connections to readers.
	select {
	case d.devices.decryptions <- struct{}{}:
		defer func() { <-d.devices.decryptions }()
	case <-ctx.Done():
		return ctx.Err()
	}
	dec := &decryption{}
	defer func() {
		for _, end := range dec.ends {
			end()
		}
	}()
	return d.guarded.DoDecryptionTxn(context.WithValue(ctx, decryptionKey{}, dec), fn)
}

// GetBufferedEvent looks for a message that was decrypted before. If its event is being stored, it
// waits for that: the message must not be acknowledged first.
func (d *sessions) GetBufferedEvent(ctx context.Context, hash [32]byte) (*wastore.BufferedEvent, error) {
	if decrypting(ctx) == nil {
		d.leftOver(ctx)
		if dec := d.pending.find(hash); dec != nil {
			if err := dec.end(); err != nil {
				return nil, &Error{err}
			}
		}
	}
	return d.guarded.GetBufferedEvent(ctx, hash)
}

// PutBufferedEvent stores a decrypted message.
func (d *sessions) PutBufferedEvent(ctx context.Context, hash [32]byte, plaintext []byte, at time.Time) error {
	if dec := inMemory(ctx); dec != nil {
		dec.hash, dec.plaintext, dec.sentAt = hash, plaintext, at
		return nil
	}
	return d.guarded.PutBufferedEvent(ctx, hash, plaintext, at)
}

// ClearBufferedEventPlaintext marks a message as handled, and stores its decryption if nobody has.
// If a stored decryption is not on the disk yet, the mark is synced and takes it there. Otherwise
// the mark need not even be in the file, and goes with the next write: if it is lost, the message
// is handled again, and its event is a duplicate.
func (d *sessions) ClearBufferedEventPlaintext(ctx context.Context, ciphertextHash [32]byte) error {
	if dec := decrypting(ctx); dec != nil {
		if dec.memory != nil {
			return dec.memory.leave()
		}
		return d.guarded.ClearBufferedEventPlaintext(ctx, ciphertextHash)
	}
	const what = "mark the message as handled"
	mark := func(t *sqldb.Tx) error {
		_, err := t.Exec(`UPDATE whatsmeow_event_buffer SET plaintext = NULL WHERE our_jid = $1 AND ciphertext_hash = $2`, d.JID, ciphertextHash[:])
		return err
	}
	if dec := d.pending.current(); dec != nil {
		err := d.do(ctx, func(ctx context.Context) error {
			return dec.Begin(func(along func(*sqldb.Tx) error) func() error { return d.devices.db.BeginSynced(ctx, what, along) })()
		})
		if err != nil {
			return err
		}
	}
	if d.pending.marked(ciphertextHash) {
		return nil
	}
	if !d.devices.db.OnDisk(d.decrypted.Load()) {
		return d.write(ctx, what, mark)
	}
	return d.latch(ctx, d.devices.db.Hand(ctx, what, mark))
}

// GetOrGenPreKeys makes the missing one-time keys in one transaction. A new device needs 812 of
// them, and whatsmeow would commit and sync each.
func (d *sessions) GetOrGenPreKeys(ctx context.Context, count uint32) (list []*keys.PreKey, err error) {
	err = d.keysTxn(ctx, func(ctx context.Context) error {
		list, err = d.guarded.GetOrGenPreKeys(ctx, count)
		return err
	})
	return list, err
}

// GenOnePreKey makes a key for a peer that needs one now. Like GetOrGenPreKeys it takes whatsmeow's
// lock for keys inside the transaction: in the other order the two would deadlock.
func (d *sessions) GenOnePreKey(ctx context.Context) (key *keys.PreKey, err error) {
	err = d.keysTxn(ctx, func(ctx context.Context) error {
		key, err = d.guarded.GenOnePreKey(ctx)
		return err
	})
	return key, err
}

// keysTxn runs fn in the transaction of a decryption, or in one of its own that is synced, because
// the keys go to the server next. It holds d.keys until that transaction is over: whatsmeow
// continues from the highest id it sees, and Postgres does not show an uncommitted one.
func (d *sessions) keysTxn(ctx context.Context, fn func(context.Context) error) error {
	numbered := func(ctx context.Context) error {
		if dec := decrypting(ctx); !dec.numbering {
			d.keys.Lock()
			dec.numbering = true
			dec.until(d.keys.Unlock)
		}
		return fn(ctx)
	}
	if dec := decrypting(ctx); dec != nil {
		if dec.memory != nil {
			return dec.memory.leave()
		}
		return numbered(ctx)
	}
	d.ratchets.Lock()
	defer d.ratchets.Unlock()
	return d.transaction(ctx, numbered)
}

// DeleteOldBufferedHashes does nothing: whatsmeow calls it at the first message, and would read the
// whole table under the write lock. [Devices.Sweeps] removes the rows in small batches.
func (d *sessions) DeleteOldBufferedHashes(context.Context) error { return nil }
