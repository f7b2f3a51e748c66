package nodes_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/host/internal/nodes"
	"github.com/tapnode/tapnode/sdk"
)

// Any value in query arrives unchanged, and changes nothing else.
func TestQuery(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		q, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil || strings.Contains(r.RequestURI, "+") {
			w.WriteHeader(http.StatusBadRequest)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"path": r.URL.Path, "query": q})
	}))
	t.Cleanup(s.Close)
	n := node(t, "http.request@1", nodes.Options{AllowPrivate: true})
	for name, c := range map[string]struct {
		url   string
		query map[string]any
		want  map[string]any
	}{
		"text of customers": {"/search", map[string]any{"q": "São Paulo", "r": "a&admin=1", "s": "a#b", "t": "100%", "u": "a+b", "v": "x\r\nHost: y", "?&=": ""},
			map[string]any{"q": []any{"São Paulo"}, "r": []any{"a&admin=1"}, "s": []any{"a#b"}, "t": []any{"100%"}, "u": []any{"a+b"}, "v": []any{"x\r\nHost: y"}, "?&=": []any{""}}},
		"beside what the url has": {"/search?a=1&q=2", map[string]any{"q": "3"}, map[string]any{"a": []any{"1"}, "q": []any{"2", "3"}}},
		"kinds":                   {"/search", map[string]any{"n": 1, "f": 2.5, "b": true, "l": []any{"x", 2, false}, "none": nil}, map[string]any{"n": []any{"1"}, "f": []any{"2.5"}, "b": []any{"true"}, "l": []any{"x", "2", "false"}}},
		"letters in the url":      {"/Preços?q=São%20Paulo", nil, map[string]any{"q": []any{"São Paulo"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := n.Execute(context.Background(), "key", map[string]any{"url": s.URL + c.url, "query": c.query})
			if err != nil {
				t.Fatal(err)
			}
			body, _ := got.(map[string]any)["body"].(map[string]any)
			if diff := cmp.Diff(c.want, body["query"]); diff != "" || body["path"] != "/search" && body["path"] != "/Preços" {
				t.Errorf("%v, -want +got:\n%s", body["path"], diff)
			}
		})
	}
}

// A URL that would not arrive as it was written is refused before anything is sent.
func TestAddressIsRefused(t *testing.T) {
	n := node(t, "http.request@1", nodes.Options{})
	for name, c := range map[string]struct {
		in            map[string]any
		pointer, says string
	}{
		"a blank":           {map[string]any{"url": "http://a.example/?q=São Paulo"}, "/url", "blank"},
		"a line":            {map[string]any{"url": "http://a.example/?q=1\r\nHost:%20b"}, "/url", "control"},
		"half an escape":    {map[string]any{"url": "http://a.example/?q=100%"}, "/url", "not a percent-escape"},
		"no escape":         {map[string]any{"url": "http://a.example/100%x"}, "/url", "not a percent-escape"},
		"a fragment":        {map[string]any{"url": "http://a.example/?q=a#b"}, "/url", "#"},
		"a way up":          {map[string]any{"url": "http://a.example/orders/../admin"}, "/url", "upwards"},
		"a hidden way up":   {map[string]any{"url": "http://a.example/orders/%2e%2E"}, "/url", "upwards"},
		"another scheme":    {map[string]any{"url": "ftp://a.example/"}, "/url", "http://"},
		"an object":         {map[string]any{"url": "http://a.example/", "query": map[string]any{"o": map[string]any{}}}, "/query", `"o"`},
		"a list of objects": {map[string]any{"url": "http://a.example/", "query": map[string]any{"o": []any{[]any{}}}}, "/query", `"o"`},
		"a long query":      {map[string]any{"url": "http://a.example/", "query": map[string]any{"o": strings.Repeat("a", 20_000)}}, "/query", "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := n.Execute(context.Background(), "key", c.in)
			p, ok := errors.AsType[*sdk.Problem](err)
			if !ok || len(p.Violations) != 1 || p.Violations[0].Pointer != c.pointer || p.HTTPStatus != 400 {
				t.Fatalf("%+v", err)
			}
			if got := p.Violations[0].Message; !strings.Contains(got, c.says) {
				t.Errorf("%q does not say %q", got, c.says)
			}
		})
	}
}
