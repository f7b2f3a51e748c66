package pool

import (
	"context"
	"net"
	"sync"
	"time"
)

// goodbye is how long a pool that closes waits for WhatsApp to answer the end of its connections. whatsmeow would wait for
// five seconds (websocket.Conn.Close), in which a host wants the whole node to be closed.
const goodbye = time.Second

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// wires are the TCP connections that a pool has open.
type wires struct {
	mu   sync.Mutex
	open map[*wire]struct{}
}

func newWires() *wires { return &wires{open: map[*wire]struct{}{}} }

// wire is one of them.
type wire struct {
	net.Conn
	of *wires
}

// through dials as dial does, and keeps what it opens.
func (w *wires) through(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		one := &wire{conn, w}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.open[one] = struct{}{}
		return one, nil
	}
}

func (o *wire) Close() error {
	o.of.mu.Lock()
	delete(o.of.open, o)
	o.of.mu.Unlock()
	return o.Conn.Close()
}

// cut ends all of them, whoever waits for an answer on one.
func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.open {
		_ = one.Conn.Close() // its user closes it once more
	}
}
