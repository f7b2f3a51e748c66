package client

import (
	"context"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tapnode/tapnode/sdk"
)

// Local serves a node inside this process, over the same gRPC as a node in its own process, and
// returns its client. stop drains the node without a grace period, closes it and waits; it is
// idempotent. Local refuses the nodes that [sdk.Serve] refuses.
func Local(n *sdk.Node) (c *Client, stop func(), err error) {
	lis := &memory{conns: make(chan net.Conn), accepting: make(chan struct{}), closed: make(chan struct{})}
	options := append(DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.dial(ctx) }))
	conn, err := grpc.NewClient("passthrough:///"+n.Name, options...)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- sdk.Serve(ctx, n, lis) }()
	select {
	case <-lis.accepting:
	case err := <-served:
		cancel()
		_ = conn.Close() // nobody has used it
		return nil, nil, err
	}
	return New(conn), sync.OnceFunc(func() {
		cancel()
		<-served         // ended by ctx, which is not an error
		_ = conn.Close() // nothing is left to lose
	}), nil
}

// memory is a listener whose connections are in-process pipes.
type memory struct {
	conns             chan net.Conn
	accepting, closed chan struct{}
	accept, close     sync.Once
}

func (m *memory) dial(ctx context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case m.conns <- there:
		return here, nil
	case <-m.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *memory) Accept() (net.Conn, error) {
	m.accept.Do(func() { close(m.accepting) })
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.close.Do(func() { close(m.closed) })
	return nil
}

func (m *memory) Addr() net.Addr { return memoryAddr{} }

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "memory" }
