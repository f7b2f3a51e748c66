package sdk_test

import (
	"context"
	"fmt"
	"os"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

type text struct {
	Text string `json:"text"`
}

var schema = []byte(`{"type":"object","required":["text"],"properties":{"text":{"type":"string","maxLength":80}}}`)

var node = &sdk.Node{Name: "shout", Version: "1.0.0", Operations: []sdk.Offer{
	sdk.Action[text, text]{
		ID: "demo.shout@1", Title: "Shout", Replay: sdk.Pure, Input: schema, Output: schema,
		Run: func(_ context.Context, _ *sdk.Call, in text) (text, error) {
			return text{in.Text + "!"}, nil
		},
	},
}}

// A complete node. Its binary has a main of one line: sdk.Main(node).
func Example() {
	host, stop, err := client.Local(node) // the same gRPC, without a process
	if err != nil {
		panic(err)
	}
	defer stop()
	state, _ := os.MkdirTemp("", "state") // a real host keeps this directory
	defer os.RemoveAll(state)
	fmt.Println(host.Configure(context.Background(), sdk.Setup{StateDir: state}))
	out, err := host.Execute(context.Background(), client.Request{Operation: "demo.shout@1", Input: []byte(`{"text":"hello"}`)}, nil)
	fmt.Println(string(out.Output), err)
	_, err = host.Execute(context.Background(), client.Request{Operation: "demo.shout@1", Input: []byte(`{"text":7}`)}, nil)
	fmt.Println(err)
	// Output:
	// <nil>
	// {"text":"hello!"} <nil>
	// must be string, not number
}
