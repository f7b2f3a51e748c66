package pool

import (
	"context"
	"time"
)

// comingBack is how long a send waits for an instance that is on its way to a login:
// longer than a restart of the process takes, shorter than a caller's.
const comingBack = 5 * time.Second

// Online returns at once when the instance is connected. One that is connecting it
// gives a few seconds, so that a restart or a dropped line is a delay and not a
// failure. Otherwise it returns ErrNotConnected.
func (i *Instance) Online(ctx context.Context) error {
	if _, err := i.Client(); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, comingBack)
	defer cancel()
	now, err := i.await(ctx, func(s Status) bool {
		_, gone := i.Client() // also when the line has dropped and nobody has noticed yet
		return gone == nil || s.State != Connecting && s.State != Connected
	})
	if err != nil || now.State != Connected {
		return ErrNotConnected
	}
	return nil
}
