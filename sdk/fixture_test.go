package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// TestMain makes the test binary act as a node binary when it is started with the cookie of a host,
// or with a node's command.
func TestMain(m *testing.M) {
	if os.Getenv(sdk.HandshakeCookieKey) != "" || os.Getenv(asNode) != "" {
		n := newDemo().node()
		if os.Getenv(asNode) == brokenNode {
			n.Settings = []byte(`{"type":7}`)
		}
		sdk.Main(n)
	}
	goleak.VerifyTestMain(m)
}

const asNode, brokenNode = "SDK_TEST_AS_NODE", "broken"

// testTimeout bounds each wait of a test.
const testTimeout = 30 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

// demo is a node whose operations do what the test wants.
type demo struct {
	started chan string // keys of behave calls that have begun
	release chan struct{}
	closed  chan struct{}

	mu     sync.Mutex
	events []sdk.Event
	grown  chan struct{}
	acked  []string
	setup  sdk.Setup
}

type doing struct {
	Do   string `json:"do"`
	Text string `json:"text"`
}

type done struct {
	Text string `json:"text"`
}

// panicking panics when it is encoded as JSON.
type panicking struct{}

func (panicking) MarshalJSON() ([]byte, error) { panic("marshal") }

const doingSchema = `{"type":"object","required":["do"],"additionalProperties":false,
	"properties":{"do":{"type":"string","minLength":1},"text":{"type":"string","default":"hello","maxLength":20}}}`

func newDemo() *demo {
	return &demo{started: make(chan string, 1000), release: make(chan struct{}), closed: make(chan struct{}), grown: make(chan struct{})}
}

func (d *demo) node() *sdk.Node {
	return &sdk.Node{
		Name: "demo", Version: "1.2.3", Title: "Demo", Features: []string{"demo.extra"}, Health: sdk.NewBoard(),
		Settings: []byte(`{"type":"object","additionalProperties":false,"required":["name"],"properties":{
			"name":{"type":"string","minLength":1},"size":{"type":"integer","default":3},
			"token":{"type":"string","writeOnly":true,"minLength":8}}}`),
		Configure: func(_ context.Context, s sdk.Setup) error {
			d.setup = s
			printNoise()
			var v struct{ Name string }
			if err := json.Unmarshal(s.Settings, &v); err != nil {
				return err
			}
			switch v.Name {
			case "broken":
				return errors.New("the cellar is flooded")
			case "panic":
				panic("configure")
			case "refused":
				return sdk.Invalid(sdk.Violation{Pointer: "/name", Code: "refused", Message: "not this name"})
			}
			return nil
		},
		Close: func(context.Context) error { close(d.closed); return nil },
		Operations: []sdk.Offer{
			sdk.Action[doing, done]{
				ID: "demo.behave@1", Replay: sdk.Keyed, Input: []byte(doingSchema), Output: []byte(`{"type":"object"}`),
				Ports: []sdk.Port{{ID: "out", Label: "Done"}},
				Preview: func(_ context.Context, _ *sdk.Call, in doing) (any, error) {
					return map[string]string{"would": in.Do}, nil
				},
				Run: d.behave,
			},
			&sdk.Operation[doing, any]{ID: "demo.plain@1", Input: []byte(doingSchema),
				Run: func(_ context.Context, _ *sdk.Call, in doing) (any, error) {
					if in.Do == "panic" {
						return panicking{}, nil
					}
					return make(chan int), nil
				}},
			&sdk.Action[json.RawMessage, json.RawMessage]{ID: "demo.raw@1", Replay: sdk.Pure,
				Check: func(b []byte) (json.RawMessage, []sdk.Violation, []sdk.Warning) {
					if string(b) == `{"check":"panic"}` {
						panic("check")
					}
					return b, nil, []sdk.Warning{{Code: "raw", Message: "as it is"}}
				},
				Run: func(_ context.Context, _ *sdk.Call, in json.RawMessage) (json.RawMessage, error) { return in, nil }},
			sdk.Trigger{ID: "demo.tick@1", Filter: []byte(`{"type":"object","additionalProperties":false,"properties":{"from":{"type":"integer","default":0}}}`),
				Events: []sdk.EventType{{Type: "demo.ticked.v1", Schema: []byte(`{"type":"object"}`)}}, Open: d.open},
		},
	}
}

// keptStdout is the stdout that a logger built at program start would hold.
var keptStdout = os.Stdout

// printNoise prints in every way that dependencies do, if a host started this process.
func printNoise() {
	if os.Getenv(sdk.HandshakeCookieKey) == "" {
		return
	}
	fmt.Println("noise by fmt")
	fmt.Fprintln(keptStdout, "noise by a kept stdout")
	_, _ = syscall.Write(1, []byte("noise by descriptor\n")) // fails when the host has closed stderr
}

func (d *demo) behave(ctx context.Context, call *sdk.Call, in doing) (done, error) {
	d.started <- call.Key
	switch in.Do {
	case "panic":
		panic("+49 151 secret")
	case "error":
		return done{}, errors.New("plain")
	case "nil problem":
		var none *sdk.Problem
		return done{}, none
	case "problem":
		return done{}, fmt.Errorf("wrapped: %w", &sdk.Problem{Code: "busy", Message: "later", Effect: sdk.EffectNone, Fault: sdk.FaultDownstream, Retryable: true, RetryAfter: 3 * time.Second})
	case "wait":
		select {
		case <-ctx.Done():
			return done{}, ctx.Err()
		case <-d.release:
		}
	case "ignore":
		<-d.release
	case "progress":
		for i := range 5 {
			call.Progress("step", fmt.Sprint(i), map[string]int{"i": i})
		}
	case "flood":
		for i := range 10_000 {
			call.Progress("step", fmt.Sprint(i), nil)
		}
	case "warn":
		call.Warn(sdk.Warning{Code: "odd", Message: "looks odd"})
		call.Replayed()
	}
	return done{in.Text}, nil
}

// tick makes n events.
func (d *demo) tick(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for range n {
		id := fmt.Sprint(len(d.events) + 1)
		d.events = append(d.events, sdk.Event{ID: "e" + id, Type: "demo.ticked.v1", Time: time.Unix(1, 0), Data: sdk.JSON(`{"n":` + id + `}`), Cursor: []byte(id), Correlation: "c"})
	}
	close(d.grown)
	d.grown = make(chan struct{})
}

type tickReader struct {
	*demo
	at int
}

func (d *demo) open(_ context.Context, s sdk.Subscription) (sdk.Reader, error) {
	r := &tickReader{demo: d}
	if len(s.Cursor) > 0 {
		if _, err := fmt.Sscan(string(s.Cursor), &r.at); err != nil {
			return nil, sdk.Invalid(sdk.Violation{Code: "cursor", Message: "not a cursor of mine"})
		}
	}
	return r, nil
}

func (r *tickReader) Resumed() bool { return r.at < 1000 }

func (r *tickReader) Next(ctx context.Context) (sdk.Event, error) {
	for {
		r.mu.Lock()
		if r.at < len(r.events) {
			e := r.events[r.at]
			r.at++
			r.mu.Unlock()
			return e, nil
		}
		grown := r.grown
		r.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return sdk.Event{}, ctx.Err()
		}
	}
}

func (r *tickReader) Ack(_ context.Context, cursor []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acked = append(r.acked, string(cursor))
	return nil
}

func (r *tickReader) Close() error { return nil }

// serve starts a demo in this process, without configuring it.
func serve(t testing.TB) (*demo, *client.Client) {
	t.Helper()
	d := newDemo()
	c, stop, err := client.Local(d.node())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return d, c
}

// serveOpen starts a demo in this process and configures it.
func serveOpen(t testing.TB) (*demo, *client.Client) {
	t.Helper()
	d, c := serve(t)
	if err := c.Configure(within(t), sdk.Setup{Settings: []byte(`{"name":"x"}`), StateDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	return d, c
}

func wantCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	te, ok := errors.AsType[*client.TransportError](err)
	if !ok || te.Code != want {
		t.Fatalf("error %v, want a transport error with %v", err, want)
	}
}

func wantProblem(t *testing.T, err error) *sdk.Problem {
	t.Helper()
	p, ok := errors.AsType[*sdk.Problem](err)
	if !ok {
		t.Fatalf("error %v, want a problem", err)
	}
	return p
}
