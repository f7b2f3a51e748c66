package session

import "context"

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

type fanoutKey struct{}

// WithFanout lets f take part in what is sent with the context.
func WithFanout(ctx context.Context, f Fanout) context.Context {
	return context.WithValue(ctx, fanoutKey{}, f)
}

// GetManySessions reads the sessions that a message is about to use.
func (d *sessions) GetManySessions(ctx context.Context, addresses []string) (map[string][]byte, error) {
	known, err := d.guarded.GetManySessions(ctx, addresses)
	if f, ok := ctx.Value(fanoutKey{}).(Fanout); ok && err == nil {
		err = f.Sessions(ctx, known)
	}
	return known, err
}
