package sdk

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// served is a running go-plugin server.
type served struct {
	server atomic.Pointer[grpc.Server] // nil before it listens
	served chan struct{}               // closed when it has ended
}

// servePlugin has go-plugin serve the process: handshake, AutoMTLS, socket.
func servePlugin(s *server, stdio *stdioGuard) *served {
	p := &served{served: make(chan struct{})}
	go func() {
		defer close(p.served)
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig: plugin.HandshakeConfig{
				ProtocolVersion: ProtocolVersion, MagicCookieKey: HandshakeCookieKey, MagicCookieValue: HandshakeCookieValue,
			},
			Plugins: plugin.PluginSet{PluginName: &grpcPlugin{server: s}},
			Logger:  hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: stdio.log, JSONFormat: true}),
			GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
				opts = append(opts, serverOptions()...)
				opts = append(opts, grpc.UnaryInterceptor(stdio.unary), grpc.StreamInterceptor(stdio.stream))
				g := grpc.NewServer(opts...)
				p.server.Store(g)
				return g
			},
		})
	}()
	return p
}

// stop ends go-plugin, which removes its socket.
func (p *served) stop() {
	if g := p.server.Load(); g != nil {
		g.Stop()
		<-p.served
	}
}

// grpcPlugin registers the server with go-plugin.
type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server *server
}

func (p *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, g *grpc.Server) error {
	nodepb.RegisterNodeServiceServer(g, p.server)
	return nil
}

func (p *grpcPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a node binary has no client; hosts use sdk/client")
}
