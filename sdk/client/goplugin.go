package client

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/tapnode/tapnode/sdk"
)

// Handshake is the go-plugin handshake of every node binary.
var Handshake = plugin.HandshakeConfig{
	ProtocolVersion: sdk.ProtocolVersion, MagicCookieKey: sdk.HandshakeCookieKey, MagicCookieValue: sdk.HandshakeCookieValue,
}

// Plugins is the go-plugin set of a node binary. Its one entry, [sdk.PluginName], is dispensed as a
// *[Client].
var Plugins = plugin.PluginSet{sdk.PluginName: nodePlugin{}}

// PluginConfig returns all that go-plugin needs to start the node binary that cmd runs: gRPC,
// mutual TLS, the message limits of the contract. The node sees the environment in cmd.Env and
// nothing of the host's environment.
//
// With it a Go host takes three lines:
//
//	process := plugin.NewClient(client.PluginConfig(exec.Command("./whatsapp-send-buttons")))
//	defer process.Kill()
//	node, err := client.Dispense(process)
//
// Kill cuts running calls: call Drain and Close on the node first.
func PluginConfig(cmd *exec.Cmd) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		Cmd: cmd, HandshakeConfig: Handshake, Plugins: Plugins, SkipHostEnv: true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, AutoMTLS: true, GRPCDialOptions: DialOptions(),
	}
}

// Dispense starts the node's process, unless it is running, and returns its client.
func Dispense(process *plugin.Client) (*Client, error) {
	protocol, err := process.Client()
	if err != nil {
		return nil, fmt.Errorf("start the node: %w", err)
	}
	node, err := protocol.Dispense(sdk.PluginName)
	if err != nil {
		return nil, fmt.Errorf("dispense the node: %w", err)
	}
	c, ok := node.(*Client)
	if !ok {
		return nil, fmt.Errorf("go-plugin dispensed a %T: its Plugins are not those of this package", node)
	}
	return c, nil
}

// nodePlugin is the host's half of the go-plugin plugin.
type nodePlugin struct{ plugin.NetRPCUnsupportedPlugin }

func (nodePlugin) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("a host serves no node; a node binary calls sdk.Main")
}

func (nodePlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return New(conn), nil
}
