package pool

import (
	"context"
	"errors"
	"time"

	"go.mau.fi/whatsmeow"
)

// dialEnds is how long a dial may take to end when it was hung up.
const dialEnds = time.Second

// errLetGo means that whatsmeow still waits for the other side's part of the handshake, see dial.
var errLetGo = errors.New("WhatsApp did not answer the handshake in time")

// dial connects cli on line, and hangs up when ctx ends. whatsmeow waits for an answer to its handshake for 20 s, whatever has
// become of the connection (Client.doHandshake), and holds the lock of its socket meanwhile. It is left to itself then, and
// errLetGo returned: there is no connection, and neither Disconnect nor ResetConnection may be called, which would wait as well.
func dial(ctx, line context.Context, hangUp context.CancelFunc, cli *whatsmeow.Client) error {
	defer context.AfterFunc(ctx, hangUp)()
	dialled := make(chan error, 1)
	go func() { dialled <- cli.ConnectContext(line) }()
	select {
	case err := <-dialled:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-dialled:
		return err
	case <-time.After(dialEnds):
		return errLetGo
	}
}
