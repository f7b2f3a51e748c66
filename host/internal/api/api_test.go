package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a served API with one operation that answers its own input.
type fixture struct {
	*Server
	outbox            *sqllog.Log
	account, instance string // tokens
	calls             chan Call
}

func start(t *testing.T, change func(*Options)) *fixture {
	t.Helper()
	return startWith(t, access.Options{}, change)
}

func startWith(t *testing.T, who access.Options, change func(*Options)) *fixture {
	t.Helper()
	log, err := sqllog.Open(t.Context(), sqllog.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	who.DB = log.DB()
	tokens, err := access.Open(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{calls: make(chan Call, 100), outbox: log}
	f.account = f.token(t, tokens, access.Token{Scopes: access.AccountScopes()})
	f.instance = f.token(t, tokens, access.Token{Scopes: access.AccountScopes(), Instances: []string{"shop"}})
	opt := Options{
		Listen: "127.0.0.1:0",
		Access: tokens,
		Events: events.New(events.Options{DB: log.DB(), Told: log.Told, Secret: []byte("secret")}),
		Operations: []sdk.OperationManifest{
			{ID: "demo.echo@1", HTTP: &sdk.Route{Method: "POST", Path: "/api/demo/echo/{instance}"}},
			{ID: "demo.hidden@1"},
		},
		Invoke: func(_ context.Context, call Call) (Outcome, error) {
			f.calls <- call
			return Outcome{Output: call.Input, Replayed: call.Key == "again"}, nil
		},
	}
	if change != nil {
		change(&opt)
	}
	if f.Server, err = New(opt); err != nil {
		t.Fatal(err)
	}
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := f.Stop(ctx); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return f
}

func (f *fixture) token(t *testing.T, tokens *access.Access, like access.Token) string {
	t.Helper()
	secret, _, err := tokens.Create(t.Context(), access.Owner(), like)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (f *fixture) post(t *testing.T, path, body string, header ...string) answer {
	t.Helper()
	return f.call(t, http.MethodPost, path, body, header...)
}

func (f *fixture) call(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, f.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, strings.TrimSpace(string(raw))}
}

func TestTokensDecide(t *testing.T) {
	f := start(t, nil)
	for _, c := range []struct {
		name, path string
		header     []string
		status     int
		message    string
	}{
		{"none", "/api/demo/echo/shop", nil, 401, "Missing token in header"},
		{"wrong", "/api/demo/echo/shop", []string{"token", "tap_wrong"}, 401, "Invalid token"},
		{"query is for websockets only", "/api/demo/echo/shop?token=" + f.account, nil, 401, "Missing token in header"},
		{"account", "/api/demo/echo/shop", []string{"token", f.account}, 200, ""},
		{"bearer", "/api/demo/echo/shop", []string{"Authorization", "Bearer " + f.account}, 200, ""},
		{"instance", "/api/demo/echo/shop", []string{"token", f.instance}, 200, ""},
		{"other instance", "/api/demo/echo/other", []string{"token", f.instance}, 403, "Instance token does not match the instance in the path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := f.post(t, c.path, `{}`, c.header...)
			if a.status != c.status || !strings.Contains(a.body, c.message) {
				t.Errorf("got %d %s, want %d %q", a.status, a.body, c.status, c.message)
			}
		})
	}
}

func TestPathParameterBecomesMember(t *testing.T) {
	f := start(t, nil)
	for _, c := range []struct{ path, body, input string }{
		{"/api/demo/echo/shop", `{"a":1}`, `{"instance":"shop","a":1}`},
		{"/api/demo/echo/shop", ` { } `, `{"instance":"shop"} `},
		{"/api/demo/echo/", `{"a":1}`, `{"instance":"","a":1}`},
		{"/api/demo/echo/a%22b", `{"a":1}`, `{"instance":"a\"b","a":1}`},
		{"/api/demo/echo/shop", `[1]`, `[1]`},
		{"/api/demo/echo/shop", ``, ``},
	} {
		f.post(t, c.path, c.body, "token", f.account)
		if got := string((<-f.calls).Input); got != c.input {
			t.Errorf("%s %s: input %s, want %s", c.path, c.body, got, c.input)
		}
	}
}

func TestRateLimitPerToken(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	f := startWith(t, access.Options{PerMinute: 2, Now: func() time.Time { return now }}, nil)
	for i, want := range []int{200, 200, 429} {
		a := f.post(t, "/api/demo/echo/shop", `{}`, "token", f.account)
		if a.status != want {
			t.Fatalf("request %d: %d, want %d", i+1, a.status, want)
		}
		if a.header.Get("X-RateLimit-Limit") != "2" || a.header.Get("X-RateLimit-Reset") == "" {
			t.Errorf("request %d: headers %v", i+1, a.header)
		}
		if want == 429 && (!strings.Contains(a.body, "Rate limit exceeded. Try again later.") || a.header.Get("Retry-After") != "30") {
			t.Errorf("refusal: %v %s", a.header, a.body)
		}
	}
	if a := f.post(t, "/api/demo/echo/shop", `{}`, "token", f.instance); a.status != 200 {
		t.Errorf("another token is limited too: %d", a.status)
	}
	for i, want := range []int{200, 200, 429} {
		if i == 0 {
			now = now.Add(time.Minute)
		}
		a := f.post(t, "/api/demo/echo/shop", `{}`, "token", f.account)
		if a.status != want || a.header.Get("X-RateLimit-Remaining") != []string{"1", "0", "0"}[i] {
			t.Errorf("a minute later, request %d: %d, want %d; %v", i+1, a.status, want, a.header)
		}
	}
	now = now.Add(30 * time.Second) // Retry-After: two a minute are one in 30 s
	if a := f.post(t, "/api/demo/echo/shop", `{}`, "token", f.account); a.status != 200 {
		t.Errorf("after Retry-After: %d", a.status)
	}
}

func TestProblemsBecomeEnvelopes(t *testing.T) {
	var next error
	f := start(t, func(o *Options) {
		o.Invoke = func(context.Context, Call) (Outcome, error) { return Outcome{}, next }
	})
	for _, c := range []struct {
		err    error
		status int
		body   string
	}{
		{&sdk.Problem{Code: "disconnected", HTTPStatus: 503, Message: "Instance is not connected to WhatsApp"}, 503,
			`{"success":false,"status":"disconnected","message":"Instance is not connected to WhatsApp","code":"disconnected","error":{"message":"Instance is not connected to WhatsApp","code":"disconnected"}}`},
		{&sdk.Problem{Code: "not_found", HTTPStatus: 404, Message: "Instance not found"}, 404,
			`{"success":false,"message":"Instance not found","code":"not_found","error":{"message":"Instance not found","code":"not_found"}}`},
		{&sdk.Problem{Code: "odd", Message: "no status"}, 500, `{"success":false,"message":"no status","code":"odd","error":{"message":"no status","code":"odd"}}`},
		{errors.New("secret detail"), 503, `{"success":false,"message":"The node did not answer; whether the message was sent is unknown. Repeat with the same Idempotency-Key","code":"node_unavailable","error":{"message":"The node did not answer; whether the message was sent is unknown. Repeat with the same Idempotency-Key","code":"node_unavailable"}}`},
	} {
		next = c.err
		if a := f.post(t, "/api/demo/echo/shop", `{}`, "token", f.account); a.status != c.status || a.body != c.body {
			t.Errorf("%v:\n got %d %s\nwant %d %s", c.err, a.status, a.body, c.status, c.body)
		}
	}
}

func TestIdempotencyKeyAndLimits(t *testing.T) {
	f := start(t, nil)
	a := f.post(t, "/api/demo/echo/shop", `{}`, "token", f.account, "Idempotency-Key", "again")
	if got := <-f.calls; got.Key != "again" || a.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("key %q, headers %v", got.Key, a.header)
	}
	if a := f.post(t, "/api/demo/echo/shop", `{}`, "token", f.account, "Idempotency-Key", strings.Repeat("k", 201)); a.status != 400 {
		t.Errorf("long key: %d", a.status)
	}
	if a := f.post(t, "/api/demo/echo/shop", `{}`, "token", f.account, "Idempotency-Key", "run:e23:ask:1"); a.status != 400 || !strings.Contains(a.body, "flows") {
		t.Errorf("a flow's key: %d %s", a.status, a.body)
	}
	huge := f.post(t, "/api/demo/echo/shop", `{"x":"`+strings.Repeat("a", maxBody)+`"}`, "token", f.account)
	if huge.status != 400 || !strings.Contains(huge.body, "Invalid request body: larger than") {
		t.Errorf("huge body: %d %s", huge.status, huge.body)
	}
}

func TestForeignHostAndAddressAreRefused(t *testing.T) {
	f := start(t, nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL()+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example"
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("foreign Host: %d", res.StatusCode)
	}
	if _, err := New(Options{Listen: "0.0.0.0:80"}); err == nil {
		t.Error("a public listen address was taken")
	}
}
