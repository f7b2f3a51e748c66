package pool

import (
	"cmp"
	"context"
	"errors"
	"time"

	"go.mau.fi/whatsmeow"
)

const (
	// dialAnswers is how long a dial may continue after its context has ended, and dialEnds how
	// long it may then take to end after its connection was closed.
	dialAnswers, dialEnds = 500 * time.Millisecond, 500 * time.Millisecond
)

// errLetGo means that whatsmeow is still waiting for the server's part of the handshake, see dial.
var errLetGo = errors.New("WhatsApp did not answer the handshake in time")

// dial connects cli on line. If ctx ends first, dial closes the connection and returns an error. It
// does not close it at once, because whatsmeow races with itself when a connection ends at the same
// moment as its handshake (socket.newNoiseSocket against socket.FrameSocket.Close), and the
// handshake takes no time once the server has answered. Without an answer whatsmeow waits 20 s,
// whatever has become of the connection (Client.doHandshake), and holds the lock of its socket
// meanwhile. dial then abandons it and returns errLetGo: there is no connection, and neither
// Disconnect nor ResetConnection may be called, because they would wait as well.
func dial(ctx, line context.Context, hangUp context.CancelFunc, cli *whatsmeow.Client) error {
	dialled := make(chan error, 1)
	go func() { dialled <- cli.ConnectContext(line) }()
	select {
	case err := <-dialled:
		return err
	case <-ctx.Done():
	}
	for _, limit := range []time.Duration{dialAnswers, dialEnds} {
		select {
		case err := <-dialled:
			hangUp()
			return cmp.Or(err, ctx.Err())
		case <-time.After(limit):
			hangUp()
		}
	}
	return errLetGo
}
