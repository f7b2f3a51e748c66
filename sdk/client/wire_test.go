package client_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// full is a node that returns messages with every field of every type set.
type full struct {
	problem sdk.Problem
	health  sdk.Health
	event   sdk.Event
	call    sdk.Call
	setup   sdk.Setup
	sub     sdk.Subscription
	acked   chan string
}

type empty struct{}

func (f *full) node() *sdk.Node {
	board := sdk.NewBoard()
	board.Set(f.health)
	object := []byte(`{"type":"object"}`)
	check := func([]byte) (empty, []sdk.Violation, []sdk.Warning) {
		return empty{}, nil, []sdk.Warning{{Pointer: "/a", Code: "odd", Message: "looks odd"}}
	}
	return &sdk.Node{
		Name: "full", Version: "1.0.0", Title: "Title", Summary: "Summary.", Features: []string{"one", "two"}, Health: board,
		Settings:  []byte(`{ "type" : "object" }`),
		Configure: func(_ context.Context, s sdk.Setup) error { f.setup = s; return nil },
		Operations: []sdk.Offer{
			sdk.Action[empty, empty]{
				ID: "full.fail@1", Title: "Fail", Summary: "It fails.", Icon: "bolt", Input: object, Output: object,
				Ports:     []sdk.Port{{ID: "out", Label: "Done"}},
				PortRules: []sdk.PortRule{{Each: "/buttons", Where: map[string]string{"type": "REPLY", "a": "b"}, ID: "reply:{id}", Label: "{text}"}},
				Events:    []sdk.EventType{{Type: "full.happened.v1", Title: "Happened", Schema: object, Port: "reply:{/id}"}},
				Replay:    sdk.Keyed, HTTP: &sdk.Route{Method: "POST", Path: "/x/{y}"}, Check: check,
				Run: func(_ context.Context, call *sdk.Call, _ empty) (empty, error) {
					f.call = *call
					return empty{}, &f.problem
				},
				Preview: func(_ context.Context, call *sdk.Call, _ empty) (any, error) {
					f.call = *call
					call.Progress("stage", "message", 7)
					call.Replayed()
					return sdk.JSON(`{"a" : 1}`), nil
				},
			},
			sdk.Trigger{
				ID: "full.happen@1", Title: "Happen", Summary: "It happens.", Icon: "bell", Filter: object,
				Events: []sdk.EventType{{Type: "full.happened.v1", Schema: object}}, Ports: []sdk.Port{{ID: "out"}},
				Open: func(_ context.Context, s sdk.Subscription) (sdk.Reader, error) { f.sub = s; return &once{full: f}, nil },
			},
		},
	}
}

// once is a reader with one event.
type once struct {
	*full
	given bool
}

func (o *once) Resumed() bool { return true }
func (o *once) Close() error  { return nil }
func (o *once) Ack(_ context.Context, cursor []byte) error {
	o.acked <- string(cursor)
	return nil
}
func (o *once) Next(ctx context.Context) (sdk.Event, error) {
	if !o.given {
		o.given = true
		return o.event, nil
	}
	<-ctx.Done()
	return sdk.Event{}, ctx.Err()
}

// TestNothingIsLost sends every field of every type through both halves of the translation. noZero
// makes it fail for a new field that it does not cover.
func TestNothingIsLost(t *testing.T) {
	at := time.Date(2026, 11, 22, 13, 0, 0, 5, time.UTC)
	f := &full{
		problem: sdk.Problem{
			Code: "code", HTTPStatus: 418, Message: "message", Effect: sdk.EffectDone, Retryable: true, RetryAfter: time.Minute,
			Fault: sdk.FaultDownstream, Violations: []sdk.Violation{{Pointer: "/a", Code: "c", Message: "m", Suggestion: "s"}},
		},
		health: sdk.Health{Subject: "shop", State: sdk.Degraded, Reason: "reason", Message: "message", Since: at},
		event: sdk.Event{
			ID: "id", Type: "full.happened.v1", Subject: "shop", Time: at, Data: sdk.JSON(`{}`), Cursor: []byte("cursor"), Correlation: "correlation", Traceparent: "traceparent",
		},
		acked: make(chan string, 1),
	}
	n := f.node()
	c, stop, err := client.Local(n)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	manifest, err := c.Describe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	noZero(t, manifest)
	want := sdk.Manifest{
		Name: n.Name, Version: n.Version, Title: n.Title, Summary: n.Summary, SDKVersion: sdk.Version, Features: n.Features,
		Settings: n.Settings, Operations: []sdk.OperationManifest{n.Operations[0].Manifest(), n.Operations[1].Manifest()},
	}
	noZero(t, want.Operations[0])
	same(t, manifest, want)

	setup := sdk.Setup{Settings: []byte(`{"a":1}`), StateDir: "/state"}
	if err := c.Configure(ctx, setup); err != nil {
		t.Fatal(err)
	}
	same(t, f.setup, setup)

	r := client.Request{Operation: "full.fail@1", Input: []byte(`{}`), Key: "key", Correlation: "c", Traceparent: "t", LeaseEpoch: 7, DryRun: true}
	noZero(t, r)
	var progress client.Progress
	result, err := c.Execute(ctx, r, func(p client.Progress) { progress = p })
	if err != nil {
		t.Fatal(err)
	}
	noZero(t, result)
	same(t, result, client.Result{Output: sdk.JSON(`{"a" : 1}`), Warnings: []sdk.Warning{{Pointer: "/a", Code: "odd", Message: "looks odd"}}, Replayed: true})
	same(t, progress, client.Progress{Stage: "stage", Message: "message", Data: sdk.JSON("7")})
	got := client.Request{Operation: f.call.Operation, Input: r.Input, Key: f.call.Key, Correlation: f.call.Correlation, DryRun: f.call.DryRun, Traceparent: f.call.Traceparent, LeaseEpoch: f.call.LeaseEpoch}
	same(t, got, r)

	r.DryRun = false
	_, err = c.Execute(ctx, r, nil)
	problem, ok := errors.AsType[*sdk.Problem](err)
	if !ok {
		t.Fatal(err)
	}
	same(t, *problem, f.problem)

	sub, err := c.Subscribe(ctx, client.Start{Operation: "full.happen@1", Subscriber: "me", Filter: []byte(`{"f":1}`), Cursor: []byte("before"), Window: 3, Subscribers: []string{"me", "other"},
		Behind: func(string, bool) {}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, f.sub, sdk.Subscription{Operation: "full.happen@1", Subscriber: "me", Filter: []byte(`{"f":1}`), Cursor: []byte("before"), Subscribers: []string{"me", "other"}, Window: 3, BySubject: true})
	noZero(t, f.sub)
	event, err := sub.Recv()
	if err != nil {
		t.Fatal(err)
	}
	whole := event
	whole.CaughtUp, whole.Behind = true, true // these are sent in events of their own
	noZero(t, whole)
	f.event.Sequence = 1
	same(t, event, f.event)
	if err := sub.Ack(1); err != nil {
		t.Fatal(err)
	}
	if cursor := <-f.acked; cursor != "cursor" {
		t.Errorf("acked %q", cursor)
	}

	watch, enough := context.WithCancel(ctx)
	var seen []sdk.Health
	err = c.WatchHealth(watch, func(h sdk.Health) {
		if h.Subject == "" {
			return
		}
		if seen = append(seen, h); len(seen) == 2 {
			enough()
		}
		n.Health.Remove("shop")
	})
	if len(seen) != 2 {
		t.Fatal(err)
	}
	same(t, seen[0], f.health)
	noZero(t, seen[1])
}

func same[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Err" }, cmp.Ignore())); diff != "" {
		t.Errorf("(-sent +received)\n%s", diff)
	}
}

// noZero reports exported fields that a test value leaves out.
func noZero(t *testing.T, v any) {
	t.Helper()
	r := reflect.ValueOf(v)
	for i := range r.NumField() {
		if r.Type().Field(i).IsExported() && r.Field(i).IsZero() {
			t.Errorf("%T.%s is not set, so the test says nothing about it", v, r.Type().Field(i).Name)
		}
	}
}
