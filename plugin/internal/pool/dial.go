package pool

import (
	"cmp"
	"context"
	"errors"
	"time"

	"go.mau.fi/whatsmeow"
)

const (
	// dialAnswers is how long a dial that is to end may go on, and dialEnds how long it may take to end once it was hung up.
	dialAnswers, dialEnds = 500 * time.Millisecond, 500 * time.Millisecond
)

// errLetGo means that whatsmeow still waits for the other side's part of the handshake, see dial.
var errLetGo = errors.New("WhatsApp did not answer the handshake in time")

// dial connects cli on line, and hangs up when ctx ends before that; the error then is not nil. Not at once, as whatsmeow races with
// itself when a connection ends while its handshake does (socket.newNoiseSocket against socket.FrameSocket.Close), which takes no time
// once the server has answered. Without an answer whatsmeow waits for 20 s, whatever has become of the connection
// (Client.doHandshake), and holds the lock of its socket meanwhile. It is left to itself then, and errLetGo returned: there is no
// connection, and neither Disconnect nor ResetConnection may be called, which would wait as well.
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
