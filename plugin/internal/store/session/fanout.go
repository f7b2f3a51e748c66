package session

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Fanout takes part in the encryption of one message for many devices. whatsmeow
// leaves out a device whose keys it did not get, all of them if it comes to that, sends
// the rest and does not say so; the session store is where it can be seen and stopped.
type Fanout interface {
	// Sessions hears which devices a message is for, by Signal address, before any is
	// encrypted for: nil without a session. It may add sessions. After an error the
	// message does not leave.
	Sessions(ctx context.Context, known map[string][]byte) error
	// Encrypted hears, by the ratchets that moved on, for which devices the message was
	// encrypted, before it leaves.
	Encrypted(ratchets map[string][]byte)
}

// Rider is a write that goes along with the first ratchets of a message, in the same
// transaction: what is to be known of the message before it leaves costs no commit of its
// own. An error of Write undoes both, and the message does not leave.
type Rider struct {
	Write func(*sqldb.Tx) error // reads nothing; may run more than once
	About []string              // what it concerns, see sqldb.DB.WriteAhead
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
	rider      *Rider              // nil: nothing goes along
	identities map[string][32]byte // of the devices it is for, that are new or changed
}

type sendingKey struct{}

// WithFanout lets f take part in what is sent with the context, and takes a rider along,
// nil for none.
func WithFanout(ctx context.Context, f Fanout, r *Rider) context.Context {
	return context.WithValue(ctx, sendingKey{}, &sending{f, r, map[string][32]byte{}})
}

// sendingOf is the message that ctx belongs to, or nil.
func sendingOf(ctx context.Context) *sending {
	s, _ := ctx.Value(sendingKey{}).(*sending)
	return s
}

// writeRatchets has ratchets on the disk; those of a message with the identities of new devices
// and with what rides along.
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
				return nil // the rider's trouble says nothing about the store
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
