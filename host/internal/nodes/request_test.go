package nodes_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/host/internal/nodes"
	"github.com/tapnode/tapnode/sdk"
)

// service gives every kind of response that a service can.
func service(t *testing.T) string {
	t.Helper()
	release := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("X-Two", "first")
		w.Header().Add("X-Two", "second")
		_ = json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "body": string(body), "type": r.Header.Get("Content-Type"), "key": r.Header.Get("X-Key"), "idempotencyKey": r.Header.Get("Idempotency-Key")})
	})
	mux.HandleFunc("/text", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "plain") })
	mux.HandleFunc("/binary", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0xff, 0xfe}) })
	mux.HandleFunc("/liar", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{not json")
	})
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		var code int
		_, _ = fmt.Sscan(r.PathValue("code"), &code)
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(code)
	})
	mux.HandleFunc("/hops/{n}", func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscan(r.PathValue("n"), &n)
		if n == 0 {
			_, _ = io.WriteString(w, "arrived")
			return
		}
		http.Redirect(w, r, fmt.Sprintf("/hops/%d", n-1), http.StatusFound)
	})
	mux.HandleFunc("/to-file", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	})
	mux.HandleFunc("/to-metadata", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("a", 256<<10+1)) })
	mux.HandleFunc("/never", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(func() { close(release); s.Close() })
	return s.URL
}

func TestRequest(t *testing.T) {
	base := service(t)
	n := node(t, "http.request@1", nodes.Options{AllowPrivate: true})
	for name, c := range map[string]struct {
		in   map[string]any
		body any // the one in the output
	}{
		"json both ways": {map[string]any{"method": "POST", "url": base + "/echo", "body": map[string]any{"a": 1}, "headers": map[string]any{"X-Key": "k"}},
			map[string]any{"method": "POST", "body": `{"a":1}`, "type": "application/json", "key": "k", "idempotencyKey": "key"}},
		"a form": {map[string]any{"method": "POST", "url": base + "/echo", "form": map[string]any{"a": "x&y=1", "b": []any{1, true}, "c": nil}},
			map[string]any{"method": "POST", "body": "a=x%26y%3D1&b=1&b=true", "type": "application/x-www-form-urlencoded", "key": "", "idempotencyKey": "key"}},
		"text":             {map[string]any{"url": base + "/text"}, "plain"},
		"binary":           {map[string]any{"url": base + "/binary"}, nil},
		"json that is not": {map[string]any{"url": base + "/liar"}, "{not json"},
		"three redirects":  {map[string]any{"url": base + "/hops/3"}, "arrived"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := n.Execute(context.Background(), "key", c.in)
			if err != nil {
				t.Fatal(err)
			}
			out, _ := got.(map[string]any)
			if diff := cmp.Diff(c.body, out["body"]); diff != "" || out["status"] != 200 {
				t.Errorf("status %v, -want +got:\n%s", out["status"], diff)
			}
		})
	}
	got, err := n.Execute(context.Background(), "key", map[string]any{"url": base + "/echo"})
	if err != nil {
		t.Fatal(err)
	}
	if h, _ := got.(map[string]any)["headers"].(map[string]any); h["x-two"] != "first" {
		t.Errorf("headers %v", h)
	}
}

func TestRequestFails(t *testing.T) {
	base := service(t)
	open, guarded := node(t, "http.request@1", nodes.Options{AllowPrivate: true}), node(t, "http.request@1", nodes.Options{})
	for name, c := range map[string]struct {
		node nodes.Node
		in   map[string]any
		want sdk.Problem // Message and Err are not compared
	}{
		"not found":        {open, map[string]any{"url": base + "/status/404"}, sdk.Problem{Code: "http_status", HTTPStatus: 404, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}},
		"server error":     {open, map[string]any{"url": base + "/status/500"}, sdk.Problem{Code: "http_status", HTTPStatus: 500, Effect: sdk.EffectUnknown, Fault: sdk.FaultDownstream, Retryable: true}},
		"come back later":  {open, map[string]any{"url": base + "/status/429"}, sdk.Problem{Code: "http_status", HTTPStatus: 429, Effect: sdk.EffectNone, Fault: sdk.FaultCaller, Retryable: true, RetryAfter: 7 * time.Second}},
		"four redirects":   {open, map[string]any{"url": base + "/hops/4"}, sdk.Problem{Code: "redirect_refused", HTTPStatus: 502, Effect: sdk.EffectNone, Fault: sdk.FaultDownstream}},
		"out of the web":   {open, map[string]any{"url": base + "/to-file"}, sdk.Problem{Code: "redirect_refused", HTTPStatus: 502, Effect: sdk.EffectNone, Fault: sdk.FaultDownstream}},
		"too big":          {open, map[string]any{"url": base + "/big"}, sdk.Problem{Code: "response_too_large", HTTPStatus: 502, Effect: sdk.EffectDone, Fault: sdk.FaultDownstream}},
		"too slow":         {open, map[string]any{"url": base + "/never", "timeout": 1, "method": "POST"}, sdk.Problem{Code: "timeout", HTTPStatus: 504, Effect: sdk.EffectUnknown, Fault: sdk.FaultDownstream, Retryable: true}},
		"nobody listens":   {open, map[string]any{"url": "http://127.0.0.1:1/", "method": "POST"}, sdk.Problem{Code: "unreachable", HTTPStatus: 502, Effect: sdk.EffectNone, Fault: sdk.FaultDownstream, Retryable: true}},
		"not a url":        {open, map[string]any{"url": "ftp://example.com"}, sdk.Problem{Code: "invalid_url", HTTPStatus: 400, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}},
		"bad method":       {open, map[string]any{"url": base, "method": "GE T"}, sdk.Problem{Code: "invalid_request", HTTPStatus: 400, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}},
		"body and form":    {open, map[string]any{"url": base, "body": 1, "form": map[string]any{}}, sdk.Problem{Code: "invalid_request", HTTPStatus: 400, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}},
		"body too big":     {open, map[string]any{"url": base, "body": strings.Repeat("a", 256<<10)}, sdk.Problem{Code: "too_large", HTTPStatus: 400, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}},
		"loopback":         {guarded, map[string]any{"url": base + "/text"}, sdk.Problem{Code: "address_refused", HTTPStatus: 403, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}},
		"metadata":         {open, map[string]any{"url": "http://169.254.169.254/latest/meta-data/"}, sdk.Problem{Code: "address_refused", HTTPStatus: 403, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}},
		"to metadata":      {open, map[string]any{"url": base + "/to-metadata"}, sdk.Problem{Code: "address_refused", HTTPStatus: 403, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}},
		"loopback, named":  {guarded, map[string]any{"url": strings.Replace(base, "127.0.0.1", "localhost", 1)}, sdk.Problem{Code: "address_refused", HTTPStatus: 403, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}},
		"loopback, mapped": {guarded, map[string]any{"url": strings.Replace(base, "127.0.0.1", "[::ffff:127.0.0.1]", 1)}, sdk.Problem{Code: "address_refused", HTTPStatus: 403, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.node.Execute(context.Background(), "key", c.in)
			var p *sdk.Problem
			if !errors.As(err, &p) {
				t.Fatalf("got %v, want a Problem", err)
			}
			got := *p
			if got.Message == "" || strings.Contains(got.Message, "127.0.0.1") {
				t.Errorf("the message %q is empty or names an address", got.Message)
			}
			got.Message, got.Err, got.Violations = "", nil, nil
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
