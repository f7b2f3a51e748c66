package session

import (
	"context"

	"go.mau.fi/whatsmeow/util/keys"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// decryption is the transaction in which an incoming message is decrypted and its
// ratchet and plaintext are stored. What it writes may be undone, so the memos
// stay closed until it ends.
type decryption struct {
	ends      []func()
	numbering bool // it holds the device's one-time keys
}

type decryptionKey struct{}

// decrypting returns the decryption that ctx belongs to, or nil.
func decrypting(ctx context.Context) *decryption {
	d, _ := ctx.Value(decryptionKey{}).(*decryption)
	return d
}

// until calls end when the transaction is over.
func (d *decryption) until(end func()) { d.ends = append(d.ends, end) }

// DoDecryptionTxn runs fn in whatsmeow's transaction, which is not synced: what
// follows before WhatsApp gets its acknowledgement takes it to the disk, the
// message's event or else ClearBufferedEventPlaintext.
func (d *sessions) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	if decrypting(ctx) != nil {
		return d.guarded.DoDecryptionTxn(ctx, fn)
	}
	err := d.transaction(sqldb.Unsynced(ctx), fn)
	if err == nil {
		d.decrypted.Store(d.devices.db.Committed())
	}
	return err
}

// transaction runs fn, which calls methods of d, in one transaction.
func (d *sessions) transaction(ctx context.Context, fn func(context.Context) error) error {
	d.ratchets.Lock()
	defer d.ratchets.Unlock()
	// Waiting here rather than for a connection leaves the others to readers.
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

// ClearBufferedEventPlaintext marks a message as handled. The mark is synced when
// nothing has been since the decryption; else it need not even be in the file, and
// goes with the next write: without it the message is handled again, and its event is
// a duplicate.
func (d *sessions) ClearBufferedEventPlaintext(ctx context.Context, ciphertextHash [32]byte) error {
	if decrypting(ctx) != nil {
		return d.guarded.ClearBufferedEventPlaintext(ctx, ciphertextHash)
	}
	const what = "mark the message as handled"
	mark := func(t *sqldb.Tx) error {
		_, err := t.Exec(`UPDATE whatsmeow_event_buffer SET plaintext = NULL WHERE our_jid = $1 AND ciphertext_hash = $2`, d.JID, ciphertextHash[:])
		return err
	}
	if !d.devices.db.OnDisk(d.decrypted.Load()) {
		return d.write(ctx, what, mark)
	}
	return d.latch(ctx, d.devices.db.Hand(ctx, what, mark))
}

// GetOrGenPreKeys makes the missing one-time keys in one transaction. A new device
// wants 812 of them, and whatsmeow commits, and syncs, each.
func (d *sessions) GetOrGenPreKeys(ctx context.Context, count uint32) (list []*keys.PreKey, err error) {
	err = d.keysTxn(ctx, func(ctx context.Context) error {
		list, err = d.guarded.GetOrGenPreKeys(ctx, count)
		return err
	})
	return list, err
}

// GenOnePreKey makes a key for a peer that needs one now. It takes whatsmeow's lock
// for keys inside the transaction, too: in the other order the two would wait for
// each other.
func (d *sessions) GenOnePreKey(ctx context.Context) (key *keys.PreKey, err error) {
	err = d.keysTxn(ctx, func(ctx context.Context) error {
		key, err = d.guarded.GenOnePreKey(ctx)
		return err
	})
	return key, err
}

// keysTxn joins the transaction of a decryption, or makes one that is synced: the
// keys go to the server next. It holds the device's keys until that transaction is
// over: whatsmeow counts on from the highest id it sees, and Postgres does not show
// one that is not committed.
func (d *sessions) keysTxn(ctx context.Context, fn func(context.Context) error) error {
	numbered := func(ctx context.Context) error {
		if dec := decrypting(ctx); !dec.numbering {
			d.keys.Lock()
			dec.numbering = true
			dec.until(d.keys.Unlock)
		}
		return fn(ctx)
	}
	if decrypting(ctx) != nil {
		return numbered(ctx)
	}
	return d.transaction(ctx, numbered)
}

// DeleteOldBufferedHashes does nothing: whatsmeow asks for it at the first message and
// reads the whole table under the write lock. [Devices.Sweeps] does it in small batches.
func (d *sessions) DeleteOldBufferedHashes(context.Context) error { return nil }
