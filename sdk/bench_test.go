package sdk_test

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// bare answers a unary call with nothing, to measure gRPC itself.
type bare struct {
	nodepb.UnimplementedNodeServiceServer
}

func (bare) Validate(context.Context, *nodepb.ValidateRequest) (*nodepb.ValidateResponse, error) {
	return &nodepb.ValidateResponse{}, nil
}

// unix returns a listener and a connection to it.
func unix(b *testing.B) (net.Listener, *grpc.ClientConn) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "s")
	lis, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := grpc.NewClient("unix:"+path, append(client.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return lis, conn
}

// BenchmarkExecute measures one call with 1 KiB of input over a unix socket: bare gRPC, an action
// with its own check, and one whose input is checked against a schema.
func BenchmarkExecute(b *testing.B) {
	payload := append(append([]byte(`{"do":"nothing","text":"`), bytes.Repeat([]byte("a"), 1000)...), `"}`...)
	b.Run("bare", func(b *testing.B) {
		lis, conn := unix(b)
		g := grpc.NewServer()
		nodepb.RegisterNodeServiceServer(g, bare{})
		go func() { _ = g.Serve(lis) }()
		defer g.Stop()
		rpc := nodepb.NewNodeServiceClient(conn)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := rpc.Validate(b.Context(), &nodepb.ValidateRequest{Operation: "x", Input: payload}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, op := range map[string]string{"check": "demo.raw@1", "schema": "demo.long@1"} {
		b.Run(name, func(b *testing.B) {
			lis, conn := unix(b)
			n := newDemo().node()
			n.Operations = append(n.Operations, sdk.Action[doing, done]{
				ID: "demo.long@1", Input: []byte(`{"type":"object","required":["do"],"properties":{"do":{"type":"string"},"text":{"type":"string","maxLength":2000}}}`),
				Run: func(_ context.Context, _ *sdk.Call, in doing) (done, error) { return done{in.Text}, nil },
			})
			ctx, stop := context.WithCancel(b.Context())
			served := make(chan error)
			go func() { served <- sdk.Serve(ctx, n, lis) }()
			defer func() { stop(); <-served }()
			c := client.New(conn)
			if err := c.Configure(ctx, sdk.Setup{Settings: []byte(`{"name":"x"}`), StateDir: b.TempDir()}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Execute(ctx, client.Request{Operation: op, Input: payload, Key: "k"}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
