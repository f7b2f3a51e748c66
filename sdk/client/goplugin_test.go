package client_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// shouter is the node that this test binary serves when a host starts it.
var shouter = &sdk.Node{Name: "shouter", Version: "1.0.0", Operations: []sdk.Offer{
	sdk.Action[map[string]string, map[string]string]{
		ID: "demo.shout@1", Replay: sdk.Pure, Input: []byte(`{"type":"object"}`), Output: []byte(`{"type":"object"}`),
		Run: func(_ context.Context, _ *sdk.Call, in map[string]string) (map[string]string, error) {
			return map[string]string{"text": in["text"] + "!"}, nil
		},
	},
}}

// A complete host in Go: go-plugin starts the node, and the client calls it.
func Example() {
	ctx := context.Background()
	config := client.PluginConfig(exec.Command(os.Args[0])) // the path of a node binary
	config.Logger = hclog.NewNullLogger()
	process := plugin.NewClient(config)
	defer process.Kill()
	node, err := client.Dispense(process)
	if err != nil {
		panic(err)
	}
	state, err := os.MkdirTemp("", "state") // a real host keeps this directory
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(state)
	if err := node.Configure(ctx, sdk.Setup{StateDir: state}); err != nil {
		panic(err)
	}
	out, err := node.Execute(ctx, client.Request{Operation: "demo.shout@1", Input: []byte(`{"text":"hello"}`)}, nil)
	fmt.Println(string(out.Output), err)
	fmt.Println(node.Close(ctx))
	// Output:
	// {"text":"hello!"} <nil>
	// <nil>
}

// A plain go-plugin host gives the node its own stdin. The node does not use it: it neither reads
// the host's input nor ends when the input does.
func TestStdinStaysTheHosts(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	old := os.Stdin
	os.Stdin = r // go-plugin passes it on to the node
	defer func() { os.Stdin = old }()
	const lines = "a line of the host's\n"
	if _, err := w.WriteString(lines); err != nil {
		t.Fatal(err)
	}
	config := client.PluginConfig(exec.Command(os.Args[0]))
	config.Logger = hclog.NewNullLogger()
	process := plugin.NewClient(config)
	defer process.Kill()
	node, err := client.Dispense(process)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := node.Configure(ctx, sdk.Setup{StateDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(lines))
	if n, err := r.Read(got); err != nil || string(got[:n]) != lines {
		t.Fatalf("the host's stdin has %q, %v", got[:n], err)
	}
	if err := w.Close(); err != nil { // as in "true | host"
		t.Fatal(err)
	}
	if n, err := r.Read(got); n != 0 || err == nil {
		t.Fatalf("the host reads %d bytes, %v; want the end", n, err)
	}
	if _, err := node.Execute(ctx, client.Request{Operation: "demo.shout@1", Input: []byte(`{}`)}, nil); err != nil {
		t.Errorf("after the end of stdin: %v", err)
	}
	if process.Exited() {
		t.Error("the node has ended")
	}
}

// A request that cannot be sent is refused here and has no effect: no retry would change that.
func TestWhatCannotTravel(t *testing.T) {
	c, stop, err := client.Local(shouter)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for name, r := range map[string]client.Request{
		"key":         {Key: "\xff"},
		"correlation": {Correlation: "\xc0\xaf"},
		"operation":   {Operation: "\xff"},
		"input":       {Input: make([]byte, sdk.MaxMessage)},
	} {
		_, err := c.Execute(t.Context(), r, nil)
		if te, ok := errors.AsType[*client.TransportError](err); !ok || te.Code != codes.InvalidArgument || te.Effect() != sdk.EffectNone {
			t.Errorf("%s: %v", name, err)
		}
	}
}
