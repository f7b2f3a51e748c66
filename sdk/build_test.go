package sdk_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

func echoAction(change func(*sdk.Action[doing, doing])) sdk.Offer {
	a := sdk.Action[doing, doing]{
		ID: "demo.echo@1", Input: []byte(`{"type":"object"}`),
		Run: func(_ context.Context, _ *sdk.Call, in doing) (doing, error) { return in, nil },
	}
	change(&a)
	return a
}

func TestCheckRefusesWhatIsBuiltWrongly(t *testing.T) {
	good := func(*sdk.Action[doing, doing]) {}
	tests := []struct {
		name   string
		change func(*sdk.Node)
		want   string
	}{
		{"good", func(*sdk.Node) {}, ""},
		{"no name", func(n *sdk.Node) { n.Name = "" }, "needs a Name"},
		{"settings", func(n *sdk.Node) { n.Settings = []byte(`{`) }, "settings schema"},
		{"twice", func(n *sdk.Node) { n.Operations = append(n.Operations, echoAction(good)) }, "demo.echo@1 is there twice"},
		{"id", func(n *sdk.Node) {
			n.Operations[0] = echoAction(func(a *sdk.Action[doing, doing]) { a.ID = "Echo" })
		}, `operation "Echo": the id must look like demo.echo@1`},
		{"input", func(n *sdk.Node) {
			n.Operations[0] = echoAction(func(a *sdk.Action[doing, doing]) { a.Input = []byte(`{"type":7}`) })
		}, "input schema"},
		{"output", func(n *sdk.Node) {
			n.Operations[0] = echoAction(func(a *sdk.Action[doing, doing]) { a.Output = []byte(`{"type":7}`) })
		}, "output schema"},
		{"event", func(n *sdk.Node) {
			n.Operations[0] = echoAction(func(a *sdk.Action[doing, doing]) {
				a.Events = []sdk.EventType{{Type: "demo.e.v1", Schema: []byte(`{"type":7}`)}}
			})
		}, "event demo.e.v1"},
		{"nothing to run", func(n *sdk.Node) {
			n.Operations[0] = echoAction(func(a *sdk.Action[doing, doing]) { a.Run = nil })
		}, "nothing to run"},
		{"nothing to open", func(n *sdk.Node) { n.Operations[0] = sdk.Trigger{ID: "demo.t@1"} }, "nothing to run"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := &sdk.Node{Name: "demo", Version: "1.0.0", Operations: []sdk.Offer{echoAction(good)}}
			tt.change(n)
			err := n.Check()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			_, stop, again := client.Local(n)
			switch isSchema := tt.name == "settings" || strings.HasSuffix(tt.want, "schema") || strings.HasPrefix(tt.want, "event"); {
			case again == nil:
				stop()
				if err != nil && !isSchema {
					t.Errorf("Check says %v, Local nothing", err)
				}
			case err == nil || isSchema || again.Error() != err.Error():
				t.Errorf("Check says %v, Local says %v", err, again)
			}
		})
	}
}

// TestBrokenSchema: a node is served before its schemas are compiled; a call reports which of them
// is invalid.
func TestBrokenSchema(t *testing.T) {
	broken := []byte(`{"type":7}`)
	c := local(t, &sdk.Node{Name: "demo", Version: "1.0.0", Operations: []sdk.Offer{
		echoAction(func(a *sdk.Action[doing, doing]) { a.Input = broken }),
		sdk.Trigger{ID: "demo.t@1", Filter: broken, Open: func(context.Context, sdk.Subscription) (sdk.Reader, error) {
			t.Error("the trigger was opened")
			return nil, errors.New("never")
		}},
	}})
	if err := c.Configure(within(t), sdk.Setup{StateDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	const want = "demo.echo@1: input schema"
	if _, _, err := c.Validate(within(t), "demo.echo@1", []byte(`{}`)); status.Code(err) != codes.Internal || !strings.Contains(err.Error(), want) {
		t.Errorf("Validate: %v", err)
	}
	if _, err := c.Execute(within(t), client.Request{Operation: "demo.echo@1"}, nil); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Execute: %v", err)
	}
	if _, err := c.Subscribe(within(t), client.Start{Operation: "demo.t@1", Subscriber: "s"}); err == nil || !strings.Contains(err.Error(), "demo.t@1: input schema") {
		t.Errorf("Subscribe: %v", err)
	}

	c, stop, err := client.Local(&sdk.Node{Name: "demo", Version: "1.0.0", Settings: broken, Operations: []sdk.Offer{echoAction(func(*sdk.Action[doing, doing]) {})}})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := c.Configure(within(t), sdk.Setup{StateDir: t.TempDir()}); status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "settings schema") {
		t.Errorf("Configure: %v", err)
	}
}

// A schema may accept what the Go type cannot hold.
func TestWhatTheSchemaPermitsAndTheTypeDoesNot(t *testing.T) {
	c := local(t, &sdk.Node{Name: "demo", Version: "1.0.0", Operations: []sdk.Offer{echoAction(func(*sdk.Action[doing, doing]) {})}})
	tests := []struct{ input, pointer, code string }{
		{`{"text":7}`, "/text", "type"},
		{`{"text":{"a":[1]}}`, "/text", "type"},
		{`{"more":7}`, "", "invalid"},
	}
	for _, tt := range tests {
		vs, _, err := c.Validate(within(t), "demo.echo@1", []byte(tt.input))
		if err != nil || len(vs) != 1 || vs[0].Pointer != tt.pointer || vs[0].Code != tt.code {
			t.Errorf("%s: %+v, %v", tt.input, vs, err)
		}
	}
}

// An In that is an interface may be nil.
func TestANilInput(t *testing.T) {
	c := local(t, &sdk.Node{Name: "demo", Version: "1.0.0", Operations: []sdk.Offer{sdk.Action[any, string]{
		ID:    "demo.nil@1",
		Check: func([]byte) (any, []sdk.Violation, []sdk.Warning) { return nil, nil, nil },
		Run: func(_ context.Context, _ *sdk.Call, in any) (string, error) {
			if in != nil {
				t.Errorf("got %v", in)
			}
			return "fine", nil
		},
	}}})
	if err := c.Configure(within(t), sdk.Setup{StateDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Execute(within(t), client.Request{Operation: "demo.nil@1"}, nil); err != nil || string(got.Output) != `"fine"` {
		t.Errorf("%s, %v", got.Output, err)
	}
}
