package api

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/host/internal/nodes"
	"github.com/tapnode/tapnode/sdk"
)

// never is a node whose calls end with the engine.
type never struct{}

func (never) Execute(ctx context.Context, _ engine.Call, _ func(engine.Progress)) (engine.Result, error) {
	<-ctx.Done()
	return engine.Result{}, ctx.Err()
}

// running is an engine with the example menu, whose first call takes for ever.
func running(t *testing.T) *engine.Engine {
	t.Helper()
	src, err := os.ReadFile("../../../examples/flows/menu.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return flowEngine(t, string(src))
}

// flowEngine is an engine with flows, whose calls of nodes take for ever.
func flowEngine(t *testing.T, flows ...string) *engine.Engine {
	t.Helper()
	var builtins []engine.Builtin
	ops := flowtest.Operations()
	for _, b := range nodes.All(nodes.Options{}) {
		builtins = append(builtins, b)
		ops = append(ops, b.Operation())
	}
	e, err := engine.New(engine.Options{Log: engine.NewMemory(0), Executor: never{}, Builtins: builtins})
	if err != nil {
		t.Fatal(err)
	}
	cat, err := flow.NewCatalogue(ops...)
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range flows {
		program, findings, err := flow.Load([]byte(src), cat)
		if err != nil || program == nil {
			t.Fatal(err, findings)
		}
		if err := e.Deploy(t.Context(), program); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // the call would never end by itself
		_ = e.Stop(ctx)
	})
	return e
}

// TestStopEndsStreams: neither a run that is watched nor an open WebSocket holds up a
// stop, and none of them is cut by the time limit for reading a request.
func TestStopEndsStreams(t *testing.T) {
	e := running(t)
	f := start(t, func(o *Options) { o.Engine = e })
	made := f.post(t, "/v1/flows/menu/runs", "", "token", f.account)
	var started struct{ Run string }
	if err := json.Unmarshal([]byte(made.body), &started); err != nil || made.status != 201 {
		t.Fatal(made, err)
	}
	hurried, err := New(f.opt)
	if err != nil {
		t.Fatal(err)
	}
	hurried.http.ReadTimeout, hurried.http.ReadHeaderTimeout = 2*time.Second, 2*time.Second
	if err := hurried.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, hurried.URL()+"/v1/runs/"+started.Run+"/steps", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("token", f.account)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() && !strings.Contains(lines.Text(), string(run.TraceNodeStarted)) {
	}
	conn, _, err := websocket.Dial(t.Context(), strings.Replace(hurried.URL(), "http", "ws", 1)+"/ws/shop?token="+f.instance, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	// A request that came later and never ends is cut: the limit has passed for both.
	late, err := net.Dial("tcp", strings.TrimPrefix(hurried.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if _, err := io.Copy(io.Discard, late); err != nil {
		t.Fatal(err)
	}
	f.tell(t, "shop", "1")
	if _, _, err := conn.Read(t.Context()); err != nil {
		t.Fatalf("the WebSocket was cut: %v", err)
	}
	if err := e.Cancel(t.Context(), started.Run, "enough"); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || !strings.Contains(lines.Text(), started.Run) {
		t.Fatalf("the stream was cut: %q %v", lines.Text(), lines.Err())
	}
	closed := make(chan error, 1)
	go func() { _, _, err := conn.Read(context.WithoutCancel(t.Context())); closed <- err }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := hurried.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := <-closed; websocket.CloseStatus(err) != websocket.StatusServiceRestart || !strings.Contains(err.Error(), "retry-after=") {
		t.Errorf("the WebSocket ended with %v", err)
	}
}

func TestStopEndsAWatchedRun(t *testing.T) {
	e := running(t)
	f := start(t, func(o *Options) { o.Engine = e })
	id, err := e.Run(t.Context(), engine.Request{Flow: "menu"})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL()+"/v1/runs/"+id+"/steps", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("token", f.account)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := f.Stop(ctx); err != nil {
		t.Errorf("stop waited for a run that goes on: %v", err)
	}
}

// TestStopEndsAnExtraStream: what the simulator streams through the host does not hold up a stop.
func TestStopEndsAnExtraStream(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	f := start(t, func(o *Options) {
		o.Extra = map[string]http.Handler{"/sim/": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
			close(ended)
		})}
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL()+"/sim/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
		}
	}()
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := f.Stop(ctx); err != nil {
		t.Errorf("stop waited for a stream: %v", err)
	}
	<-ended
}

func TestInstanceTokensNeedAnInstanceInThePath(t *testing.T) {
	f := start(t, func(o *Options) {
		o.Engine = running(t)
		o.Operations = append(o.Operations, sdk.OperationManifest{ID: "demo.all@1", HTTP: &sdk.Route{Method: "POST", Path: "/api/demo/all"}})
	})
	for _, path := range []string{"/api/demo/all", "/v1/flows/menu/runs"} {
		if a := f.post(t, path, `{"instance":"other"}`, "token", f.instance); a.status != 403 || !strings.Contains(a.body, "account token") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := f.post(t, "/api/demo/all", `{}`, "token", f.account); a.status != 200 {
		t.Errorf("account token: %d %s", a.status, a.body)
	}
}

func TestLocalOnly(t *testing.T) {
	f := start(t, func(o *Options) {
		o.Extra = map[string]http.Handler{"/sim/": LocalOnly(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		}))}
	})
	if a := f.post(t, "/sim/x", ""); a.status != 204 {
		t.Errorf("from this machine: %d", a.status)
	}
	for _, header := range [][]string{
		{"X-Forwarded-For", "203.0.113.9"}, {"X-Forwarded-For", ""}, {"X-Forwarded-Server", "x"}, {"Forwarded", "for=203.0.113.9"},
		{"Via", "1.1 x"}, {"X-Real-IP", "203.0.113.9"}, {"True-Client-IP", "203.0.113.9"}, {"CF-Connecting-IP", "203.0.113.9"},
	} {
		if a := f.post(t, "/sim/x", "", header...); a.status != 403 {
			t.Errorf("through a proxy that sets %q: %d", header, a.status)
		}
	}
	twice, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL()+"/sim/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	twice.Header["X-Forwarded-For"] = []string{"", "203.0.113.9"} // the first is the sender's own
	res, err := http.DefaultClient.Do(twice)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 403 {
		t.Errorf("through a proxy, with an empty header of the sender's: %d", res.StatusCode)
	}
	foreign := httptest.NewRequest(http.MethodPost, "/sim/x", nil)
	foreign.RemoteAddr = "203.0.113.9:1234"
	w := httptest.NewRecorder()
	LocalOnly(http.NotFoundHandler()).ServeHTTP(w, foreign)
	if w.Code != 403 {
		t.Errorf("from another machine: %d", w.Code)
	}
	if a := f.post(t, "/sim/x", "", "Origin", "https://evil.example"); a.status != 403 {
		t.Errorf("from a web page: %d", a.status)
	}
}

// A request for a run is read strictly, and a key stands for one request.
func TestRunRequestsAreStrict(t *testing.T) {
	f := start(t, func(o *Options) { o.Engine = running(t) })
	for _, c := range []struct {
		name, body, says string
		status           int
	}{
		{"trailing braces", `{"vars":{}}}}`, "there is more after", 400},
		{"a second document", `{} {}`, "there is more after", 400},
		{"member twice", `{"vars":{"name":"a"},"vars":{}}`, "/vars", 400},
		{"variable twice", `{"vars":{"name":"a","name":"b"}}`, "/vars/name", 400},
		{"other case", `{"Vars":{}}`, "known here: event, trigger, vars, version", 400},
		{"bad UTF-8", "{\"vars\":{\"name\":\"\xff\"}}", "not UTF-8", 400},
		{"vars is no object", `{"vars":[]}`, "/vars", 400},
		{"null", `null`, "must be an object", 400},
		{"unknown variable", `{"vars":{"colour":"a"}}`, "colour", 422},
		{"too large", `{"vars":{"name":"` + strings.Repeat("a", 1<<20) + `"}}`, "larger than", 413},
		{"blanks", " \n", "run", 201},
		{"good", `{"vars":{"name":"a"}}`, "run", 201},
	} {
		if a := f.post(t, "/v1/flows/menu/runs", c.body, "token", f.account); a.status != c.status || !strings.Contains(a.body, c.says) {
			t.Errorf("%s: %d %.300s", c.name, a.status, a.body)
		}
	}
	with := func(body string) answer {
		return f.post(t, "/v1/flows/menu/runs", body, "token", f.account, "Idempotency-Key", "order-17")
	}
	first := with(`{"vars":{"name":"Ana","phone":"5511999990002"}}`)
	if first.status != 201 {
		t.Fatal(first)
	}
	if again := with(`{"vars": {"phone":"5511999990002", "name":"Ana"}}`); again.status != 201 || again.body != first.body {
		t.Errorf("the same again: %d %s", again.status, again.body)
	}
	if other := with(`{"vars":{"name":"Eva","phone":"5511999990002"}}`); other.status != 422 || !strings.Contains(other.body, "take another key") {
		t.Errorf("other variables: %d %s", other.status, other.body)
	}
}
