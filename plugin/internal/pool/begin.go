package pool

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/libsignal/signalerror"
	"go.mau.fi/libsignal/state/record"
	libstore "go.mau.fi/libsignal/state/store"
	"go.mau.fi/whatsmeow"
	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// beginSessions begins a session from each device's keys and adds it to known. whatsmeow stores the
// sessions with the message's ratchets. The error covers the sessions that could not be started.
func beginSessions(ctx context.Context, cli *whatsmeow.Client, known map[string][]byte, bundles map[types.JID]*prekey.Bundle) (err error) {
	for device, bundle := range bundles {
		one := &newSession{}
		bad := one.begin(ctx, cli, cli.Store, device, bundle)
		if cli.AutoTrustIdentity && errors.Is(bad, signalerror.ErrUntrustedIdentity) { // a new phone
			if bad = cli.DangerousInternals().ClearUntrustedIdentity(ctx, device); bad == nil {
				bad = one.begin(ctx, cli, cli.Store, device, bundle)
			}
		}
		if bad != nil {
			err = errors.Join(err, fmt.Errorf("begin a session: %w", bad))
			continue
		}
		known[device.SignalAddress().String()] = one.record.Serialize()
	}
	return err
}

// newSession is a session store that holds one session not yet stored.
type newSession struct {
	libstore.Session // nil: processing a bundle needs only the methods below
	record           *record.Session
}

func (s *newSession) begin(ctx context.Context, cli *whatsmeow.Client, identities libstore.IdentityKey, device types.JID, bundle *prekey.Bundle) error {
	serializer := wastore.SignalProtobufSerializer
	s.record = record.NewSession(serializer.Session, serializer.State)
	return session.NewBuilder(s, cli.Store, cli.Store, identities, device.SignalAddress(), serializer).ProcessBundle(ctx, bundle)
}

// LoadSession returns the session.
func (s *newSession) LoadSession(context.Context, *protocol.SignalAddress) (*record.Session, error) {
	return s.record, nil
}

// StoreSession replaces the session.
func (s *newSession) StoreSession(_ context.Context, _ *protocol.SignalAddress, r *record.Session) error {
	s.record = r
	return nil
}

// beginAhead begins a session before its first message and stores nothing. It fails for a device
// whose identity has changed: sending the message handles that case.
func beginAhead(ctx context.Context, cli *whatsmeow.Client, device types.JID, bundle *prekey.Bundle) (begunSession, error) {
	one, identities := &newSession{}, &unsavedIdentity{IdentityKey: cli.Store}
	if err := one.begin(ctx, cli, identities, device, bundle); err != nil {
		return begunSession{}, err
	}
	return begunSession{record: one.record.Serialize(), identity: identities.key}, nil
}

// unsavedIdentity holds the identity of one device instead of saving it.
type unsavedIdentity struct {
	libstore.IdentityKey
	key [32]byte
}

// SaveIdentity keeps the key in memory.
func (u *unsavedIdentity) SaveIdentity(_ context.Context, _ *protocol.SignalAddress, key *identity.Key) error {
	u.key = key.PublicKey().PublicKey()
	return nil
}
