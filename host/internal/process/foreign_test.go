package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/tapnode/tapnode/sdk"
)

// The output of a node that was not built with the sdk goes through go-plugin's stdio
// stream. If nobody read that stream, the node would block at its first long Println.
func TestForeignNodeThatPrints(t *testing.T) {
	n := started(t, "foreign")
	n.works()
	if err := n.Stop(n.soon()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// foreign serves testNode through go-plugin alone, and prints a lot at each call. It
// does not watch stdin. It relays the calls to the sdk on another socket.
func foreign() {
	path := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "inner")
	lis, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	go func() { _ = sdk.Serve(context.Background(), testNode, lis) }()
	inner, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: sdk.ProtocolVersion, MagicCookieKey: sdk.HandshakeCookieKey, MagicCookieValue: sdk.HandshakeCookieValue,
		},
		Plugins: plugin.PluginSet{sdk.PluginName: noServices{}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.UnknownServiceHandler(relayTo(inner)))...)
		},
	})
	os.Exit(0)
}

// relayTo forwards a call with one request. An Empty can carry any message, as unknown
// fields.
func relayTo(inner *grpc.ClientConn) grpc.StreamHandler {
	return func(_ any, outer grpc.ServerStream) error {
		fmt.Fprintln(os.Stdout, strings.Repeat("x", 1<<20))
		method, _ := grpc.MethodFromServerStream(outer)
		stream, err := inner.NewStream(outer.Context(), &grpc.StreamDesc{ServerStreams: true}, method)
		if err != nil {
			return err
		}
		var m emptypb.Empty
		if err := outer.RecvMsg(&m); err != nil {
			return err
		}
		if err := stream.SendMsg(&m); err != nil {
			return err
		}
		if err := stream.CloseSend(); err != nil {
			return err
		}
		for {
			var m emptypb.Empty
			if err := stream.RecvMsg(&m); err != nil {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
			if err := outer.SendMsg(&m); err != nil {
				return err
			}
		}
	}
}

type noServices struct{ plugin.NetRPCUnsupportedPlugin }

func (noServices) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

func (noServices) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}
