package sdk

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// How long the end of a process may take.
const (
	termGrace   = 10 * time.Second       // for running calls, after SIGTERM
	orphanLimit = 800 * time.Millisecond // when the host is gone
	killLimit   = 1500 * time.Millisecond
)

// serveHost is the life of a process that a host started.
func serveHost(s *server) int {
	stdio, err := takeStdio()
	if err != nil {
		slog.Error("stdout cannot be guarded", "error", err)
		return exitEnvironment
	}
	setLogger(stdio.err)
	signal.Ignore(os.Interrupt) // the terminal sends it to the whole group; the host decides
	term := make(chan os.Signal, 2)
	signal.Notify(term, syscall.SIGTERM)

	var started atomic.Pointer[grpc.Server]
	served := make(chan struct{})
	go func() {
		defer close(served)
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig: plugin.HandshakeConfig{
				ProtocolVersion: ProtocolVersion, MagicCookieKey: HandshakeCookieKey, MagicCookieValue: HandshakeCookieValue,
			},
			Plugins: plugin.PluginSet{PluginName: &grpcPlugin{server: s}},
			Logger:  hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: stdio.err, JSONFormat: true}),
			GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
				opts = append(opts, serverOptions()...)
				opts = append(opts, grpc.UnaryInterceptor(stdio.unary), grpc.StreamInterceptor(stdio.stream))
				g := grpc.NewServer(opts...)
				started.Store(g)
				return g
			},
		})
	}()

	ctx, limit := context.Background(), killLimit
	select {
	case <-served:
		if started.Load() == nil {
			return exitEnvironment // go-plugin found no place for its socket, and said so
		}
	case <-hostGone():
		limit = orphanLimit
	case <-term:
		slog.Info("draining", "grace", termGrace)
		go func() {
			<-term
			os.Exit(128 + int(syscall.SIGTERM))
		}()
		s.life.drain(ctx, termGrace)
	}
	finish(ctx, s, limit)
	if g := started.Load(); g != nil {
		g.Stop() // removes the socket
		<-served
	}
	return exitOK
}

// finish closes the node, for at most limit: a Close that hangs does not keep the
// process.
func finish(ctx context.Context, s *server, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.close(ctx)
	}()
	select {
	case <-closed:
	case <-ctx.Done():
		slog.Warn("the node did not close in time", "limit", limit)
	}
}

// hostGone is closed when stdin ends. Only a pipe or a socket has a host at its
// other end; a terminal, a file or /dev/null says nothing.
func hostGone() <-chan struct{} {
	gone := make(chan struct{})
	info, err := os.Stdin.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return gone
	}
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, os.Stdin) // any end is the end
	}()
	return gone
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
	return nil, errNoClient
}

// stdioGuard keeps everything but the handshake line away from the real stdout.
type stdioGuard struct {
	err    *os.File // the real stderr
	settle sync.Once
}

// settled puts the standard streams back on the real stderr. go-plugin replaces
// them, after its handshake, with pipes that block when no host reads them; the
// first call comes after that.
func (g *stdioGuard) settled() {
	g.settle.Do(func() { os.Stdout, os.Stderr = g.err, g.err })
}

func (g *stdioGuard) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	g.settled()
	return handler(ctx, req)
}

func (g *stdioGuard) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	g.settled()
	return handler(srv, stream)
}
