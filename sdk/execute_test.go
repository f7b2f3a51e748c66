package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

func behave(what string) client.Request {
	return client.Request{Operation: "demo.behave@1", Input: []byte(`{"do":"` + what + `"}`), Key: "key-" + what}
}

func TestExecuteSucceeds(t *testing.T) {
	_, c := serveOpen(t)
	got, err := c.Execute(within(t), behave("nothing"), nil)
	if err != nil || string(got.Output) != `{"text":"hello"}` {
		t.Fatalf("got %s, %v; want the schema's default to be filled in", got.Output, err)
	}
	got, err = c.Execute(within(t), behave("warn"), nil)
	if err != nil || !got.Replayed || len(got.Warnings) != 1 || got.Warnings[0].Code != "odd" {
		t.Fatalf("got %+v, %v", got, err)
	}
	raw := client.Request{Operation: "demo.raw@1", Input: []byte(`{ "a" : 1 }`)}
	got, err = c.Execute(within(t), raw, nil)
	if err != nil || string(got.Output) != `{ "a" : 1 }` || got.Warnings[0].Code != "raw" {
		t.Fatalf("got %s %v, %v; want the same bytes and the check's warning", got.Output, got.Warnings, err)
	}
}

func TestExecuteFails(t *testing.T) {
	_, c := serveOpen(t)
	tests := []struct {
		name    string
		request client.Request
		want    sdk.Problem
	}{
		{"panic", behave("panic"), sdk.Problem{Code: "panic", HTTPStatus: 500, Effect: sdk.EffectUnknown, Fault: sdk.FaultNode}},
		{"plain error", behave("error"), sdk.Problem{Code: "internal", HTTPStatus: 500, Effect: sdk.EffectUnknown, Fault: sdk.FaultNode}},
		{"problem", behave("problem"), sdk.Problem{Code: "busy", HTTPStatus: 502, Effect: sdk.EffectNone, Fault: sdk.FaultDownstream, Retryable: true, RetryAfter: 3 * time.Second}},
		{"output is no JSON", client.Request{Operation: "demo.plain@1", Input: []byte(`{"do":"x"}`)}, sdk.Problem{Code: "internal", HTTPStatus: 500, Effect: sdk.EffectDone, Fault: sdk.FaultNode}},
		{"output panics", client.Request{Operation: "demo.plain@1", Input: []byte(`{"do":"panic"}`)}, sdk.Problem{Code: "panic", HTTPStatus: 500, Effect: sdk.EffectDone, Fault: sdk.FaultNode}},
		{"nil problem", behave("nil problem"), sdk.Problem{Code: "internal", HTTPStatus: 500, Effect: sdk.EffectUnknown, Fault: sdk.FaultNode}},
		{"no preview", client.Request{Operation: "demo.plain@1", Input: []byte(`{"do":"x"}`), DryRun: true}, sdk.Problem{Code: "dry_run_unsupported", HTTPStatus: 501, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}},
		{"bad input", client.Request{Operation: "demo.behave@1", Input: []byte(`{"do":"","more":1}`)}, sdk.Problem{Code: "min_length", HTTPStatus: 400, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}},
		{"no JSON", client.Request{Operation: "demo.behave@1", Input: []byte(`{"do"`)}, sdk.Problem{Code: "not_json", HTTPStatus: 400, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}},
		{"check panics", client.Request{Operation: "demo.raw@1", Input: []byte(`{"check":"panic"}`)}, sdk.Problem{Code: "panic", HTTPStatus: 500, Effect: sdk.EffectNone, Fault: sdk.FaultNode}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.Execute(within(t), tt.request, nil)
			p := wantProblem(t, err)
			if p.Code != tt.want.Code || p.HTTPStatus != tt.want.HTTPStatus || p.Effect != tt.want.Effect ||
				p.Fault != tt.want.Fault || p.Retryable != tt.want.Retryable || p.RetryAfter != tt.want.RetryAfter {
				t.Errorf("got %+v, want %+v", *p, tt.want)
			}
			if strings.Contains(p.Message, "secret") {
				t.Errorf("the message tells what the panic said: %q", p.Message)
			}
		})
	}
	if _, err := c.Execute(within(t), behave("nothing"), nil); err != nil {
		t.Errorf("after all that the process does not work any more: %v", err)
	}
}

func TestExecuteIsRefused(t *testing.T) {
	_, c := serve(t)
	_, err := c.Execute(within(t), behave("nothing"), nil)
	wantCode(t, err, codes.FailedPrecondition)
	if err := c.Configure(within(t), sdk.Setup{Settings: []byte(`{"name":"x"}`), StateDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		request client.Request
		want    codes.Code
	}{
		{"unknown operation", client.Request{Operation: "demo.none@1"}, codes.NotFound},
		{"trigger", client.Request{Operation: "demo.tick@1"}, codes.InvalidArgument},
		{"long key", client.Request{Operation: "demo.raw@1", Key: strings.Repeat("k", 256)}, codes.InvalidArgument},
		{"long correlation", client.Request{Operation: "demo.raw@1", Correlation: strings.Repeat("k", 1025)}, codes.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.Execute(within(t), tt.request, nil)
			wantCode(t, err, tt.want)
			te, _ := errors.AsType[*client.TransportError](err)
			if te.Effect() != sdk.EffectNone {
				t.Errorf("effect %s, but nothing ran", te.Effect())
			}
		})
	}
}

func TestExecuteDryRun(t *testing.T) {
	d, c := serveOpen(t)
	r := behave("panic")
	r.DryRun = true
	got, err := c.Execute(within(t), r, nil)
	if err != nil || string(got.Output) != `{"would":"panic"}` || len(d.started) != 0 {
		t.Fatalf("got %s, %v, %d runs; want a preview and no run", got.Output, err, len(d.started))
	}
}

func TestExecuteProgress(t *testing.T) {
	_, c := serveOpen(t)
	var got []string
	if _, err := c.Execute(within(t), behave("progress"), func(p client.Progress) { got = append(got, p.Message+string(p.Data)) }); err != nil {
		t.Fatal(err)
	}
	if want := `0{"i":0} 1{"i":1} 2{"i":2} 3{"i":3} 4{"i":4}`; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestExecuteDropsOldProgressButNotTheCompletion(t *testing.T) {
	_, c := serveOpen(t)
	last, n := "", 0
	result, err := c.Execute(within(t), behave("flood"), func(p client.Progress) { last, n = p.Message, n+1 })
	if err != nil || last != "9999" || string(result.Output) == "" {
		t.Fatalf("last progress %q of %d, result %s, %v; want the newest progress and the completion", last, n, result.Output, err)
	}
}

func TestExecuteCancelled(t *testing.T) {
	d, c := serveOpen(t)
	for _, what := range []string{"wait", "ignore"} {
		ctx, cancel := context.WithCancel(within(t))
		go func() { <-d.started; cancel() }()
		_, err := c.Execute(ctx, behave(what), nil)
		wantCode(t, err, codes.Canceled)
	}
	close(d.release)
}

func TestValidate(t *testing.T) {
	d, c := serve(t)
	vs, _, err := c.Validate(within(t), "demo.behave@1", []byte(`{"text":"`+strings.Repeat("x", 21)+`","extra":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range vs {
		got = append(got, v.Pointer+" "+v.Code)
	}
	if want := "/do required, /extra unknown_member, /text max_length"; strings.Join(got, ", ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	_, ws, err := c.Validate(within(t), "demo.raw@1", nil)
	if err != nil || len(ws) != 1 {
		t.Errorf("warnings %v, %v", ws, err)
	}
	_, _, err = c.Validate(within(t), "demo.none@1", nil)
	wantCode(t, err, codes.NotFound)
	if len(d.started) != 0 {
		t.Error("validate ran something")
	}
}

// A document with more violations than anybody reads gets the first thousand, and the number of the
// remaining ones.
func TestValidateTellsNoMoreThanAnybodyReads(t *testing.T) {
	_, c := serve(t)
	var b strings.Builder
	b.WriteString(`{"do":"echo"`)
	for n := range 1500 {
		fmt.Fprintf(&b, `,"extra%d":0`, n)
	}
	vs, _, err := c.Validate(within(t), "demo.behave@1", []byte(b.String()+"}"))
	if err != nil {
		t.Fatal(err)
	}
	if len(vs) != 1001 || vs[999].Code != "unknown_member" || vs[1000].Code != "too_many" || vs[1000].Message != "and 500 more violations" {
		t.Errorf("%d violations, the last is %+v", len(vs), vs[len(vs)-1])
	}
}
