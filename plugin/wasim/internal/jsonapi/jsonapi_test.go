package jsonapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func handler() http.Handler {
	return Handler("/sim/v1/", "test", []Endpoint{
		{Method: "POST", Path: "things/{name}", Summary: "make a thing", Curl: `$SIM/things/a -d '{"size":1}'`,
			Handle: func(r *Request) (any, error) {
				var in struct {
					Size int `json:"size"`
				}
				if err := r.Decode(&in); err != nil {
					return nil, err
				}
				return Created{map[string]any{"name": r.PathValue("name"), "size": in.Size}}, nil
			}},
		{Method: "DELETE", Path: "things/{name}", Handle: func(*Request) (any, error) { return nil, nil }},
		{Method: "GET", Path: "things", Handle: func(r *Request) (any, error) {
			q, err := r.Query("wait", "limit")
			if err != nil {
				return nil, err
			}
			wait, err := Wait(q["wait"])
			if err != nil {
				return nil, err
			}
			limit, err := Count("limit", q["limit"], 100)
			return []any{wait.String(), limit}, err
		}},
		{Method: "GET", Path: "broken", Handle: func(*Request) (any, error) { return nil, errors.New("it broke") }},
	})
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name, method, target, body string
		edit                       func(*http.Request)
		status                     int
		want                       string
	}{
		{"created", "POST", "/sim/v1/things/x", `{"size":3}`, nil, 201, `"size": 3`},
		{"no content", "DELETE", "/sim/v1/things/x", "", nil, 204, ""},
		{"unknown member", "POST", "/sim/v1/things/x", `{"sise":3}`, nil, 400, `"pointer": "/sise"`},
		{"too large", "POST", "/sim/v1/things/x", strings.Repeat(" ", maxBody+1), nil, 413, "may have"},
		{"query", "GET", "/sim/v1/things?wait=5s", "", nil, 200, `"5s"`},
		{"unknown query", "GET", "/sim/v1/things?wiat=5s", "", nil, 400, "known here: wait, limit"},
		{"long wait", "GET", "/sim/v1/things?wait=2h", "", nil, 400, "between 0s and 1m0s"},
		{"limit", "GET", "/sim/v1/things?limit=101", "", nil, 400, "between 1 and 100"},
		{"server error", "GET", "/sim/v1/broken", "", nil, 500, "it broke"},
		{"unknown path", "GET", "/sim/v1/nothing", "", nil, 404, "GET /sim/v1/ lists them"},
		{"wrong method", "PUT", "/sim/v1/things/x", "", nil, 404, "PUT /sim/v1/things/x"},
		{"index", "GET", "/sim/v1/", "", nil, 200, `curl -s http://127.0.0.1/sim/v1/things/a -d '{\"size\":1}'`},
		{"from the network", "GET", "/sim/v1/", "", func(r *http.Request) { r.RemoteAddr = "192.0.2.1:9" }, 403, "this machine only"},
		{"rebound name", "GET", "/sim/v1/", "", func(r *http.Request) { r.Host = "evil.example:80" }, 403, "as 127.0.0.1"},
		{"other page", "POST", "/sim/v1/things/x", `{"size":3}`, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403, "another origin"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "http://127.0.0.1"+c.target, strings.NewReader(c.body))
			r.RemoteAddr = "127.0.0.1:4711"
			if c.edit != nil {
				c.edit(r)
			}
			w := httptest.NewRecorder()
			handler().ServeHTTP(w, r)
			body, err := io.ReadAll(w.Result().Body)
			if err != nil {
				t.Fatal(err)
			}
			if w.Code != c.status || !strings.Contains(string(body), c.want) {
				t.Fatalf("answered %d %s\nwant %d %s", w.Code, body, c.status, c.want)
			}
			if c.status >= 400 {
				var p Problem
				if w.Header().Get("Content-Type") != "application/problem+json" || json.Unmarshal(body, &p) != nil || p.Status != c.status || p.Title == "" {
					t.Fatalf("not a problem: %s", body)
				}
			}
		})
	}
}
