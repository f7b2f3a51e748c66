package session

import (
	"context"

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
		return d.SQLStore.DoDecryptionTxn(ctx, fn)
	}
	err := d.transaction(sqldb.Unsynced(ctx), fn)
	if err == nil {
		d.decrypted.Store(d.devices.db.Committed())
	}
	return err
}

// transaction runs fn, which calls methods of d, in one transaction.
func (d *sessions) transaction(ctx context.Context, fn func(context.Context) error) error {
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
	return d.SQLStore.DoDecryptionTxn(context.WithValue(ctx, decryptionKey{}, dec), fn)
}

// ClearBufferedEventPlaintext marks a message as handled. The mark is synced when
// nothing has been since the decryption; else it need not even be in the file, and
// goes with the next write: without it the message is handled again, and its event is
// a duplicate.
func (d *sessions) ClearBufferedEventPlaintext(ctx context.Context, ciphertextHash [32]byte) error {
	if decrypting(ctx) != nil {
		return d.SQLStore.ClearBufferedEventPlaintext(ctx, ciphertextHash)
	}
	const what = "mark the message as handled"
	mark := func(t *sqldb.Tx) error {
		_, err := t.Exec(`UPDATE whatsmeow_event_buffer SET plaintext = NULL WHERE our_jid = $1 AND ciphertext_hash = $2`, d.JID, ciphertextHash[:])
		return err
	}
	if !d.devices.db.OnDisk(d.decrypted.Load()) {
		return d.devices.db.Write(ctx, what, mark)
	}
	return d.devices.db.Hand(ctx, what, mark)
}
