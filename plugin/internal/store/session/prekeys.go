package session

import (
	"context"

	"go.mau.fi/whatsmeow/util/keys"
)

// GetOrGenPreKeys makes the missing one-time keys in one transaction. A new device
// wants 812 of them, and whatsmeow commits, and syncs, each.
func (d *sessions) GetOrGenPreKeys(ctx context.Context, count uint32) (list []*keys.PreKey, err error) {
	err = d.keysTxn(ctx, func(ctx context.Context) error {
		list, err = d.SQLStore.GetOrGenPreKeys(ctx, count)
		return err
	})
	return list, err
}

// GenOnePreKey makes a key for a peer that needs one now. It takes whatsmeow's lock
// for keys inside the transaction, too: in the other order the two would wait for
// each other.
func (d *sessions) GenOnePreKey(ctx context.Context) (key *keys.PreKey, err error) {
	err = d.keysTxn(ctx, func(ctx context.Context) error {
		key, err = d.SQLStore.GenOnePreKey(ctx)
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
