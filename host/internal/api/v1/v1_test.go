package v1

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tapnode/tapnode/host/internal/feed"
	"github.com/tapnode/tapnode/host/internal/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served is an API whose callers are what they say in the header Caller: an id, and after a slash the
// only instance that they may work with.
type served struct {
	*httptest.Server
	api    *API
	states chan http.ConnState // of all connections
}

type callerKey struct{}

func serveTest(t *testing.T, change func(*Options)) *served {
	t.Helper()
	opt := Options{
		Authorize: func(access Access, next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id, instance, some := strings.Cut(r.Header.Get("Caller"), "/")
				caller := Caller{ID: id, Reveal: id == "eve"}
				if some {
					caller.Instances = []string{instance}
				}
				switch at := r.PathValue("instance"); {
				case id == "":
					Refuse(w, http.StatusUnauthorized, "unauthenticated", "say who you are")
				case some && (access.Reach == All || access.Reach == ByPath && at != instance):
					Refuse(w, http.StatusForbidden, "forbidden", "not yours")
				default:
					next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller)))
				}
			})
		},
		CallerOf: func(ctx context.Context) Caller {
			c, _ := ctx.Value(callerKey{}).(Caller)
			return c
		},
		Nodes:  someNodes{},
		Places: feed.NewPlaces(),
	}
	if change != nil {
		change(&opt)
	}
	a, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{httptest.NewUnstartedServer(a), a, make(chan http.ConnState, 10_000)}
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) { s.states <- state }
	s.Start()
	s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(s.Close)
	s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s
}

type said struct {
	status int
	header http.Header
	body   string
}

// problem is the answer as one; the test fails if it is none.
func (s said) problem(t *testing.T) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal([]byte(s.body), &p); err != nil || s.header.Get("Content-Type") != problemType || p.Status != s.status || p.Code == "" || p.Detail == "" {
		t.Fatalf("no problem: %d %v %s %v", s.status, s.header, s.body, err)
	}
	return p
}

func (s *served) ask(t *testing.T, method, path, body string, header ...string) said {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Caller", "ann")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return said{res.StatusCode, res.Header, string(bytes.TrimSpace(raw))}
}

type someNodes struct{}

func (someNodes) Nodes() []Node {
	return []Node{{Name: "demo", Version: "1.0.0", Status: process.Status{State: process.Ready}}}
}

func (someNodes) RestartNode(_ context.Context, name string) error {
	switch name {
	case "demo":
		return nil
	case "busy":
		return process.ErrRunning
	}
	return ErrUnknownNode
}

func TestRefusalsAreProblems(t *testing.T) {
	s := serveTest(t, nil)
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code, place              string
	}{
		{"nobody", "GET", "/v1/nodes", "", []string{"Caller", ""}, 401, "unauthenticated", ""},
		{"somebody else's", "GET", "/v1/nodes", "", []string{"Caller", "bob/shop"}, 403, "forbidden", ""},
		{"unknown node", "GET", "/v1/nodes/none", "", nil, 404, "unknown_node", ""},
		{"conflict", "POST", "/v1/nodes/busy/restart", "", nil, 409, "restarting", ""},
		{"no resource", "GET", "/v1/nothing", "", nil, 404, "not_found", ""},
		{"another case", "GET", "/v1/Nodes", "", nil, 404, "not_found", ""},
		{"method", "DELETE", "/v1/nodes", "", nil, 405, "method_not_allowed", ""},
		{"slash", "GET", "/v1/nodes/", "", nil, 404, "not_found", ""},
		{"dots", "GET", "/v1/nodes/../nodes", "", nil, 404, "not_found", ""},
		{"two slashes", "GET", "/v1//nodes", "", nil, 404, "not_found", ""},
		{"escaped slash", "GET", "/v1/nodes%2fdemo", "", nil, 404, "not_found", ""},
		{"path that is not UTF-8", "GET", "/v1/nodes/%ff", "", nil, 404, "not_found", ""},
		{"path with NUL", "GET", "/v1/nodes/%00", "", nil, 404, "not_found", ""},
		{"unknown parameter", "GET", "/v1/nodes?colour=red", "", nil, 400, "invalid_request", "colour"},
		{"parameter twice", "GET", "/v1/nodes?a=1&a=2", "", nil, 400, "invalid_request", "a"},
		{"query that is not UTF-8", "GET", "/v1/nodes?a=%ff", "", nil, 400, "invalid_request", ""},
		{"query with a semicolon", "GET", "/v1/nodes?a=1;b=2", "", nil, 400, "invalid_request", ""},
		{"body where none is taken", "POST", "/v1/nodes/demo/restart", `{"now":true}`, nil, 400, "invalid_body", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.ask(t, c.method, c.path, c.body, c.header...)
			p := a.problem(t)
			if p.Status != c.status || p.Code != c.code || c.place != "" && (len(p.Errors) != 1 || p.Errors[0].Parameter != c.place) {
				t.Errorf("got %+v", p)
			}
		})
	}
	if a := s.ask(t, "DELETE", "/v1/nodes", ""); a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow is %q", a.header.Get("Allow"))
	}
}

func TestNodes(t *testing.T) {
	s := serveTest(t, nil)
	for path, method := range map[string]string{"/v1/nodes/demo": "GET", "/v1/nodes/demo/restart": "POST", "/v1/nodes": "GET"} {
		if a := s.ask(t, method, path, ""); a.status != 200 || !strings.Contains(a.body, `"name":"demo"`) || !strings.Contains(a.body, `"state":"`) {
			t.Errorf("%s %s: %+v", method, path, a)
		}
	}
}

func TestDocumentNamesEveryRoute(t *testing.T) {
	s := serveTest(t, nil)
	a := s.ask(t, "GET", "/v1/openapi.json", "")
	var doc struct {
		OpenAPI string                                `json:"openapi"`
		Paths   map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil || a.status != 200 || doc.OpenAPI != "3.1.0" || len(doc.Paths["/v1/nodes/{name}/restart"]["post"]) == 0 {
		t.Fatalf("%v %+v", err, a)
	}
	page := s.ask(t, "GET", "/v1/", "", "Caller", "")
	if page.status != 200 || !strings.Contains(page.body, "POST /v1/nodes/{name}/restart") || strings.Contains(page.body, "<script") || strings.Contains(page.body, "//cdn") ||
		!strings.HasPrefix(page.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the page: %+v", page)
	}
}
