package sdk

import (
	"context"
	"net"

	"google.golang.org/grpc"

	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// Constants of the contract that a host needs before the first call.
const (
	// ProtocolVersion is go-plugin's, and the major of the proto package flownode.v1.
	ProtocolVersion = 1
	// HandshakeCookieKey and HandshakeCookieValue tell a node binary, in its
	// environment, that a host has started it. They are no secret.
	HandshakeCookieKey   = "FLOWNODE_PLUGIN"
	HandshakeCookieValue = "9b1f6e0c5d0f4f3aa2f0f7f5c1f4e6d8"
	// PluginName is the name of the one entry in go-plugin's plugin set.
	PluginName = "node"
	// MaxMessage is the largest message in either direction, in bytes. go-plugin's
	// own defaults differ per side, so each side has to set it.
	MaxMessage = 16 << 20
)

// maxStreams bounds the calls of one connection that run at the same time; more
// wait on the host's side.
const maxStreams = 1024

// Serve serves the node on lis until ctx ends, then drains without grace and
// closes it. It is what [Main] does without a process around it: for tests and
// for a host that has a node built in.
func Serve(ctx context.Context, n *Node, lis net.Listener) error {
	s, err := newServer(n)
	if err != nil {
		return err
	}
	g := grpc.NewServer(serverOptions()...)
	nodepb.RegisterNodeServiceServer(g, s)
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		s.close(context.WithoutCancel(ctx))
		g.Stop()
	}()
	err = g.Serve(lis)
	cancel()
	<-stopped
	return err
}

func serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage), grpc.MaxConcurrentStreams(maxStreams),
	}
}
