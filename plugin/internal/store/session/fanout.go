package session

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Fanout watches the encryption of one message for many devices. whatsmeow leaves out every device
// whose keys it did not get, even if that is all of them, sends the rest and does not report it;
// only the session store can see and stop that.
type Fanout interface {
	// Sessions is called with the devices of a message, by Signal address, before the message is
	// encrypted for any of them. A device without a session has a nil value. Sessions may add
	// sessions. After an error the message is not sent.
	Sessions(ctx context.Context, known map[string][]byte) error
	// Encrypted is called before the message is sent, with the ratchets that advanced: those of the
	// devices for which the message was encrypted.
	Encrypted(ratchets map[string][]byte)
}

// Rider is a write that shares the transaction of the first ratchets of a message, so that what
// must be known of the message before it is sent costs no commit of its own. An error of Write
// undoes both, and the message is not sent.
type Rider struct {
	Write func(*sqldb.Tx) error // reads nothing; may run more than once
	About []string              // the names that it concerns, see sqldb.DB.WriteAhead
	there atomic.Bool
}

// There reports whether the write is on disk.
func (r *Rider) There() bool { return r.there.Load() }

// Store writes a rider by itself, for a message that has no ratchets.
func (c *Devices) Store(ctx context.Context, r *Rider) error {
	err := c.db.WriteAhead(ctx, "store the intent", r.About, r.Write)
	r.there.Store(err == nil)
	return err
}

// sending is one message on its way through whatsmeow, which works on it in one goroutine.
type sending struct {
	fanout     Fanout
	rider      *Rider              // nil: none
	identities map[string][32]byte // new or changed, of the devices that the message is for
}

type sendingKey struct{}

// WithFanout returns a context in which one message is sent with f and with a rider, nil for none.
func WithFanout(ctx context.Context, f Fanout, r *Rider) context.Context {
	return context.WithValue(ctx, sendingKey{}, &sending{f, r, map[string][32]byte{}})
}

// sendingOf is the message that ctx belongs to, or nil.
func sendingOf(ctx context.Context) *sending {
	s, _ := ctx.Value(sendingKey{}).(*sending)
	return s
}

// writeRatchets stores ratchets; those of a message together with the identities of new devices and
// with the rider.
func (d *sessions) writeRatchets(ctx context.Context, store storing, about []string, fn func(*sqldb.Tx) error) error {
	s := sendingOf(ctx)
	if s == nil {
		return d.do(ctx, func(ctx context.Context) error { return store(ctx, "store the ratchets", about, fn) })
	}
	riding := s.rider != nil && !s.rider.There()
	if riding {
		about = append(about, s.rider.About...)
	}
	for address := range s.identities {
		about = append(about, ratchet{address: address}.name(d.JID))
	}
	err := d.identities.SetAll(s.identities, func() error {
		var refused error
		err := d.do(ctx, func(ctx context.Context) error {
			err := store(ctx, "store the ratchets and the intent", about, func(t *sqldb.Tx) error {
				if refused = nil; riding {
					refused = s.rider.Write(t)
				}
				if refused != nil {
					return refused
				}
				for address, key := range s.identities {
					if err := d.insertIdentity(t, address, key); err != nil {
						return err
					}
				}
				return fn(t)
			})
			if refused != nil && errors.Is(err, refused) || riding && errors.Is(err, sqldb.ErrExists) {
				refused = err
				return nil // an error of the rider is no failure of the store
			}
			return err
		})
		if err == nil {
			err = refused
		}
		return err
	})
	if err != nil {
		return err
	}
	clear(s.identities)
	if riding {
		s.rider.there.Store(true)
	}
	return nil
}

// GetManySessions reads the sessions that a message is about to use.
func (d *sessions) GetManySessions(ctx context.Context, addresses []string) (map[string][]byte, error) {
	known, err := d.readSessions(ctx, addresses)
	if s := sendingOf(ctx); s != nil && err == nil {
		err = s.fanout.Sessions(ctx, known)
	}
	return known, err
}
