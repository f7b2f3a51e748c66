package session

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// storeTime bounds one call of whatsmeow to a store: a database that hangs has failed.
const storeTime = 15 * time.Second

// Error means that a store failed while whatsmeow used it.
//
// A failing store must not look like a message that cannot be decrypted: whatsmeow would ask the
// sender for the message again and acknowledge it, and the server would forget it. It leaves a
// message at the server only for errors that match context.Canceled (whatsmeow message.go,
// decryptMessages), so this one does.
type Error struct{ Err error }

// Error returns the cause.
func (e *Error) Error() string { return "the session store failed: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches context.Canceled, see above.
func (e *Error) Is(target error) bool { return target == context.Canceled }

// Arm prepares a device's stores for a new connection: what the last connection has decrypted is
// stored or dropped, and what was remembered is read anew. failed is called once, with the first
// failure; from then on the connection can store nothing and has to end.
func Arm(d *wastore.Device, failed func(error)) {
	if s, ok := d.Sessions.(*sessions); ok {
		s.flush(context.Background())
		s.forget()
		s.failed.Store(&failed)
		s.failure.Store(nil)
	}
}

// Rest gives back the memory of a device whose connection has ended.
func Rest(d *wastore.Device) {
	if s, ok := d.Sessions.(*sessions); ok {
		s.forget()
	}
}

// guarded is whatsmeow's SQL store of one device with a latch: after the first failure every call
// that a message depends on fails, until the next connection. A message that arrives in between
// must not be handled by half.
type guarded struct {
	*sqlstore.SQLStore
	failure atomic.Pointer[Error]
	failed  atomic.Pointer[func(error)]
}

// do runs one call on the store.
func (g *guarded) do(ctx context.Context, call func(context.Context) error) error {
	if failure := g.failure.Load(); failure != nil {
		return failure
	}
	limited, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	return g.latch(ctx, call(limited))
}

// latch records a failure of the store. An error that comes after the end of the caller's context
// is none.
func (g *guarded) latch(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	if earlier, ok := errors.AsType[*Error](err); ok {
		return earlier
	}
	failure := &Error{err}
	if g.failure.CompareAndSwap(nil, failure) {
		if failed := g.failed.Load(); failed != nil {
			(*failed)(err)
		}
	}
	return failure
}

// read is do for a call with a result.
func read[T any](ctx context.Context, g *guarded, call func(context.Context) (T, error)) (v T, err error) {
	err = g.do(ctx, func(ctx context.Context) (err error) {
		v, err = call(ctx)
		return err
	})
	return v, err
}

// The methods below are the part of whatsmeow's store that the fate of a message depends on.

// GetSession reads a session.
func (g *guarded) GetSession(ctx context.Context, address string) ([]byte, error) {
	return read(ctx, g, func(ctx context.Context) ([]byte, error) { return g.SQLStore.GetSession(ctx, address) })
}

// GetManySessions reads sessions.
func (g *guarded) GetManySessions(ctx context.Context, addresses []string) (map[string][]byte, error) {
	return read(ctx, g, func(ctx context.Context) (map[string][]byte, error) {
		return g.SQLStore.GetManySessions(ctx, addresses)
	})
}

// PutSession stores a session.
func (g *guarded) PutSession(ctx context.Context, address string, session []byte) error {
	return g.do(ctx, func(ctx context.Context) error { return g.SQLStore.PutSession(ctx, address, session) })
}

// PutManySessions stores sessions.
func (g *guarded) PutManySessions(ctx context.Context, sessions map[string][]byte) error {
	return g.do(ctx, func(ctx context.Context) error { return g.SQLStore.PutManySessions(ctx, sessions) })
}

// DeleteSession deletes one.
func (g *guarded) DeleteSession(ctx context.Context, address string) error {
	return g.do(ctx, func(ctx context.Context) error { return g.SQLStore.DeleteSession(ctx, address) })
}

// DeleteAllSessions deletes a user's.
func (g *guarded) DeleteAllSessions(ctx context.Context, user string) error {
	return g.do(ctx, func(ctx context.Context) error { return g.SQLStore.DeleteAllSessions(ctx, user) })
}

// MigratePNToLID moves what is stored under the phone number to the LID.
func (g *guarded) MigratePNToLID(ctx context.Context, pn, lid types.JID) error {
	return g.do(ctx, func(ctx context.Context) error { return g.SQLStore.MigratePNToLID(ctx, pn, lid) })
}

// PutIdentity stores a peer's key.
func (g *guarded) PutIdentity(ctx context.Context, address string, key [32]byte) error {
	return g.do(ctx, func(ctx context.Context) error { return g.SQLStore.PutIdentity(ctx, address, key) })
}

// IsTrustedIdentity compares with the known key.
func (g *guarded) IsTrustedIdentity(ctx context.Context, address string, key [32]byte) (bool, error) {
	return read(ctx, g, func(ctx context.Context) (bool, error) { return g.SQLStore.IsTrustedIdentity(ctx, address, key) })
}

// DeleteIdentity forgets a peer's key.
func (g *guarded) DeleteIdentity(ctx context.Context, address string) error {
	return g.do(ctx, func(ctx context.Context) error { return g.SQLStore.DeleteIdentity(ctx, address) })
}

// DeleteAllIdentities forgets the keys of a user's devices.
func (g *guarded) DeleteAllIdentities(ctx context.Context, user string) error {
	return g.do(ctx, func(ctx context.Context) error { return g.SQLStore.DeleteAllIdentities(ctx, user) })
}

// GetPreKey reads one of our keys.
func (g *guarded) GetPreKey(ctx context.Context, id uint32) (*keys.PreKey, error) {
	return read(ctx, g, func(ctx context.Context) (*keys.PreKey, error) { return g.SQLStore.GetPreKey(ctx, id) })
}

// RemovePreKey deletes a key that was used.
func (g *guarded) RemovePreKey(ctx context.Context, id uint32) error {
	return g.do(ctx, func(ctx context.Context) error { return g.SQLStore.RemovePreKey(ctx, id) })
}

// GetSenderKey reads the key of a group's member.
func (g *guarded) GetSenderKey(ctx context.Context, group, user string) ([]byte, error) {
	return read(ctx, g, func(ctx context.Context) ([]byte, error) { return g.SQLStore.GetSenderKey(ctx, group, user) })
}

// PutSenderKey stores the key of a group's member.
func (g *guarded) PutSenderKey(ctx context.Context, group, user string, key []byte) error {
	return g.do(ctx, func(ctx context.Context) error { return g.SQLStore.PutSenderKey(ctx, group, user, key) })
}

// GetBufferedEvent looks for a message that was decrypted before.
func (g *guarded) GetBufferedEvent(ctx context.Context, hash [32]byte) (*wastore.BufferedEvent, error) {
	return read(ctx, g, func(ctx context.Context) (*wastore.BufferedEvent, error) {
		return g.SQLStore.GetBufferedEvent(ctx, hash)
	})
}

// PutBufferedEvent stores a decrypted message.
func (g *guarded) PutBufferedEvent(ctx context.Context, hash [32]byte, plaintext []byte, at time.Time) error {
	return g.do(ctx, func(ctx context.Context) error { return g.SQLStore.PutBufferedEvent(ctx, hash, plaintext, at) })
}

// ClearBufferedEventPlaintext marks a message as handled.
func (g *guarded) ClearBufferedEventPlaintext(ctx context.Context, hash [32]byte) error {
	return g.do(ctx, func(ctx context.Context) error { return g.SQLStore.ClearBufferedEventPlaintext(ctx, hash) })
}

// DoDecryptionTxn runs fn in a transaction. An error of fn is no failure of the store; an error in
// beginning or ending the transaction is.
func (g *guarded) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	if failure := g.failure.Load(); failure != nil {
		return failure
	}
	var inner error
	limited, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	err := g.SQLStore.DoDecryptionTxn(limited, func(ctx context.Context) error {
		inner = fn(ctx)
		return inner
	})
	if inner != nil {
		return err
	}
	return g.latch(ctx, err)
}
