package nodes_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/host/internal/nodes"
	"github.com/tapnode/tapnode/sdk"
)

func TestRespond(t *testing.T) {
	n := node(t, "respond@1", nodes.Options{})
	for name, c := range map[string]struct{ in, want map[string]any }{
		"nothing": {map[string]any{}, map[string]any{"status": 200, "headers": map[string]any{}, "body": ""}},
		"json": {map[string]any{"status": 202, "body": map[string]any{"a": 1}},
			map[string]any{"status": 202, "headers": map[string]any{"Content-Type": "application/json"}, "body": `{"a":1}`}},
		"text": {map[string]any{"body": "<b>", "headers": map[string]any{"x-a": "b", "content-type": "text/html"}},
			map[string]any{"status": 200, "headers": map[string]any{"Content-Type": "text/html", "X-A": "b"}, "body": "<b>"}},
	} {
		got, err := n.Execute(context.Background(), "key", c.in)
		if diff := cmp.Diff(any(c.want), got); diff != "" || err != nil {
			t.Errorf("%s: %v, -want +got:\n%s", name, err, diff)
		}
	}
	for name, in := range map[string]map[string]any{
		"a status that is none":      {"status": 100},
		"a cookie for other pages":   {"headers": map[string]any{"set-cookie": "a=b"}},
		"another header in a value":  {"headers": map[string]any{"X-A": "b\r\nX-B: c"}},
		"the length is the server's": {"headers": map[string]any{"Content-Length": "1"}},
		"too large":                  {"body": strings.Repeat("a", 256<<10+1)},
	} {
		if _, err := n.Execute(context.Background(), "key", in); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestFail(t *testing.T) {
	_, err := node(t, "fail@1", nodes.Options{}).Execute(context.Background(), "key", map[string]any{"code": "no_stock", "message": "nothing left"})
	var p *sdk.Problem
	if !errors.As(err, &p) || p.Code != "no_stock" || p.Message != "nothing left" || p.Retryable || p.Effect != sdk.EffectNone {
		t.Errorf("got %v", err)
	}
}

// Whether a request may be repeated is decided per call, and the service can recognize a repetition
// by its key.
func TestRequestReplay(t *testing.T) {
	base := service(t)
	n := node(t, "http.request@1", nodes.Options{AllowPrivate: true})
	replays := n.Operation().Replays
	for name, c := range map[string]struct {
		in   map[string]any
		want sdk.Replay
		key  string // the one that the service sees
	}{
		"get, unsaid":        {map[string]any{}, sdk.Keyed, ""},
		"put":                {map[string]any{"method": "PUT"}, sdk.Keyed, "key"},
		"post":               {map[string]any{"method": "POST"}, sdk.Unsafe, "key"},
		"post, keyed":        {map[string]any{"method": "POST", "idempotent": true}, sdk.Keyed, "key"},
		"post, their header": {map[string]any{"method": "POST", "headers": map[string]any{"idempotency-key": "mine"}}, sdk.Unsafe, "mine"},
	} {
		if got := replays(c.in); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
		c.in["url"] = base + "/echo"
		out, err := n.Execute(context.Background(), "key", c.in)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := out.(map[string]any)["body"].(map[string]any); body["idempotencyKey"] != c.key {
			t.Errorf("%s: the service sees %v", name, body)
		}
	}
}
