package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"

	"google.golang.org/grpc"

	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// Exit codes of a node binary.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitEnvironment = 3
)

// Main is the main function of a node binary. Started by a host, it serves n and exits 0 when the
// host shuts it down, when the host has died (see [LifelineKey]) or after a drain of at most 10 s
// on SIGTERM. Without a host it answers the commands describe, version and help; anything else
// exits 2. It does not return.
func Main(n *Node) { os.Exit(run(n, os.Args[1:], os.Stdout, os.Stderr)) }

func run(n *Node, args []string, stdout, stderr io.Writer) int {
	s, err := newServer(n)
	if err != nil {
		fmt.Fprintf(stderr, "%s: this node is built wrongly: %v\n", n.Name, err)
		return exitFailed
	}
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "":
		if os.Getenv(HandshakeCookieKey) == HandshakeCookieValue {
			return serveHost(s)
		}
		fmt.Fprint(stderr, usage(n))
		return exitUsage
	case "describe":
		if err := s.compile(); err != nil {
			fmt.Fprintf(stderr, "%s: this node is built wrongly: %v\n", n.Name, err)
			return exitFailed
		}
		enc := json.NewEncoder(stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(s.manifest); err != nil {
			fmt.Fprintf(stderr, "%s: %v\n", n.Name, err)
			return exitFailed
		}
	case "version":
		fmt.Fprintf(stdout, "%s %s (sdk %s, contract flownode.v%d)\n", n.Name, n.Version, Version, ProtocolVersion)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage(n))
	default:
		fmt.Fprintf(stderr, "%s: there is no command %q\n\n%s", n.Name, command, usage(n))
		return exitUsage
	}
	return exitOK
}

func usage(n *Node) string {
	text := n.Name + " is a node for a workflow host; the host starts it by itself."
	if n.Title != "" {
		text = n.Title + "\n\n" + text
	}
	return text + fmt.Sprintf(`

usage:
  %[1]s describe   print what it offers, as JSON
  %[1]s version    print its version
  %[1]s help       print this
`, n.Name)
}

// Constants of the contract that a host needs before the first call.
const (
	// ProtocolVersion is that of go-plugin, and the major version of the proto package flownode.v1.
	ProtocolVersion = 1
	// HandshakeCookieKey and HandshakeCookieValue tell a node binary, in its environment, that a
	// host has started it. They are not secret.
	HandshakeCookieKey   = "FLOWNODE_PLUGIN"
	HandshakeCookieValue = "9b1f6e0c5d0f4f3aa2f0f7f5c1f4e6d8"
	// PluginName is the name of the one entry in go-plugin's plugin set.
	PluginName = "node"
	// MaxMessage is the largest message in either direction, in bytes. go-plugin's own defaults
	// differ per side, so each side has to set it.
	MaxMessage = 16 << 20
)

// maxStreams bounds the concurrent calls of one connection; further calls wait on the host's side.
const maxStreams = 1024

// Serve serves the node on lis until ctx ends, then drains without a grace period and closes the
// node. It is [Main] without the process handling: for tests, and for a host that has a node built
// in.
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
