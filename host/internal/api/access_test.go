package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/sdk"
)

// TestScopesDecide: a token does what its scopes and instances say, and nothing else.
func TestScopesDecide(t *testing.T) {
	f := start(t, func(o *Options) {
		o.Engine = running(t)
		o.Operations = append(o.Operations, sdk.OperationManifest{ID: "demo.send@1", Kind: sdk.KindAction, HTTP: &sdk.Route{Method: "POST", Path: "/api/demo/send/{instance}"}})
	})
	tokens := map[string]string{}
	for _, scope := range []access.Scope{access.Send, access.Read, access.Manage, access.Reveal} {
		tokens[string(scope)] = f.token(t, f.opt.Access, access.Token{Scopes: []access.Scope{scope}})
	}
	tokens["two"] = f.token(t, f.opt.Access, access.Token{Scopes: access.AccountScopes(), Instances: []string{"shop", "bar"}})
	for _, c := range []struct{ method, path, body, may string }{
		{"POST", "/api/demo/send/shop", `{}`, "send two"},
		{"POST", "/api/demo/send/other", `{}`, "send"},
		{"POST", "/api/demo/send/bar", `{}`, "send two"},
		{"POST", "/api/demo/echo/shop", `{}`, "manage two"}, // an operation that does more than send
		{"POST", "/v1/flows/menu/runs", `{}`, "send"},
		{"GET", "/v1/runs", "", "read"},
		{"GET", "/v1/deadletters", "", "read"},
		{"DELETE", "/v1/deadletters/none", "", "manage"},
		{"GET", "/v1/tokens", "", "manage"},
		{"GET", "/v1/audit", "", "manage"},
	} {
		for name, token := range tokens {
			a := f.call(t, c.method, c.path, c.body, "token", token)
			if may := strings.Contains(" "+c.may+" ", " "+name+" "); may != (a.status != 403) || a.status == 401 {
				t.Errorf("%s %s with %s: %d %s", c.method, c.path, name, a.status, a.body)
			}
		}
	}
}

// TestTokensOverHTTP makes, shows, rotates and revokes tokens, and refuses what is no token.
func TestTokensOverHTTP(t *testing.T) {
	f := start(t, nil)
	ask := func(status int, method, path, body string) (out map[string]any) {
		t.Helper()
		a := f.call(t, method, path, body, "token", f.account)
		if a.status != status || a.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s %s %s: %d %s", method, path, body, a.status, a.body)
		}
		_ = json.Unmarshal([]byte(a.body), &out) // 204 has none
		return out
	}
	made := ask(201, "POST", "/v1/tokens", `{"name":"till","scopes":["send"],"instances":["shop"],"expires":"2999-01-01T00:00:00Z"}`)
	secret, id := made["token"].(string), made["id"].(string)
	use := func(secret string) int {
		return f.post(t, "/api/demo/echo/shop", `{}`, "token", secret).status
	}
	if use(secret) != 403 { // which is not 401
		t.Errorf("the new token: %d", use(secret))
	}
	if all := f.call(t, "GET", "/v1/tokens", "", "token", f.account); strings.Contains(all.body, secret) || !strings.Contains(all.body, id) || strings.Contains(all.body, "sha256") {
		t.Errorf("list: %s", all.body)
	}
	rotated := ask(200, "POST", "/v1/tokens/"+id+"/rotate", `{"graceSeconds":60}`)["token"].(string)
	if rotated == secret || use(secret) != 403 || use(rotated) != 403 {
		t.Error("after a rotation with grace one of the two does not count")
	}
	if ask(200, "POST", "/v1/tokens/"+id+"/rotate", ``); use(rotated) != 401 {
		t.Error("without grace the old one counts")
	}
	ask(204, "DELETE", "/v1/tokens/"+id, "")
	for _, c := range []struct {
		method, path, body, pointer string
		status                      int
	}{
		{"DELETE", "/v1/tokens/" + id, "", "", 404},
		{"POST", "/v1/tokens/none/rotate", "", "", 404},
		{"POST", "/v1/tokens", ``, "/scopes", 422},
		{"POST", "/v1/tokens", `{"scopes":["send","all"]}`, "/scopes/1", 422},
		{"POST", "/v1/tokens", `{"scopes":["send"],"instances":["a b"]}`, "/instances/0", 422},
		{"POST", "/v1/tokens", `{"scopes":["send"],"expires":"tomorrow"}`, "/expires", 400},
		{"POST", "/v1/tokens", `{"scopes":["send"],"scope":"send"}`, "/scope", 400},
		{"POST", "/v1/tokens", `{"scopes":["reveal"]}`, "", 403},
		{"POST", "/v1/tokens", `{"scopes":"send"}`, "/scopes", 400},
		{"GET", "/v1/audit?limit=0", "", "", 400},
	} {
		a := f.call(t, c.method, c.path, c.body, "token", f.account)
		if a.status != c.status || c.pointer != "" && !strings.Contains(a.body, `"pointer":"`+c.pointer+`"`) || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, a.status, a.body)
		}
	}
	for _, token := range []string{f.instance, secret} {
		if a := f.call(t, "POST", "/v1/tokens", `{"scopes":["send"]}`, "token", token); a.status != 403 && a.status != 401 {
			t.Errorf("a token by another than the account: %d", a.status)
		}
	}
}

// TestAuditLog: what was changed is there with who, from where and how it ended, and what was read
// or sent is not.
func TestAuditLog(t *testing.T) {
	f := start(t, func(o *Options) { o.Engine = running(t) })
	f.post(t, "/v1/tokens?secret=hush", `{}`, "token", f.account)
	made := f.post(t, "/v1/tokens", `{"name":"hush","scopes":["read"]}`, "token", f.account)
	f.call(t, "GET", "/v1/runs", "", "token", f.account)
	f.post(t, "/v1/flows/menu/runs", `{}`, "token", f.account)
	f.call(t, "DELETE", "/v1/deadletters/a%2Fb", "", "token", f.account)
	f.call(t, "DELETE", "/v1/deadletters/c", "", "token", f.instance)
	var page struct {
		Entries []access.Entry
		Next    string
	}
	a := f.call(t, "GET", "/v1/audit?limit=2", "", "token", f.account)
	if err := json.Unmarshal([]byte(a.body), &page); err != nil || len(page.Entries) != 2 || page.Next == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if e := page.Entries[0]; e.Status != 403 || e.From != "127.0.0.1" || e.Action != "DELETE /v1/deadletters/c" {
		t.Errorf("the newest: %+v", e)
	}
	if e := page.Entries[1]; e.Status != 404 || e.Action != "DELETE /v1/deadletters/a%2Fb" {
		t.Errorf("before it: %+v", e)
	}
	a = f.call(t, "GET", "/v1/audit?after="+page.Next, "", "token", f.account)
	page.Next = ""
	if err := json.Unmarshal([]byte(a.body), &page); err != nil || len(page.Entries) != 2 || page.Next != "" || page.Entries[1].Status != 400 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var token struct{ ID, Token string }
	if err := json.Unmarshal([]byte(made.body), &token); err != nil {
		t.Fatal(err)
	}
	if e := page.Entries[0]; e.Status != 201 || e.Action != "POST /v1/tokens" || e.About != "token "+token.ID || e.Caller == "" {
		t.Errorf("the first: %+v", e)
	}
	if strings.Contains(a.body, "hush") || strings.Contains(a.body, token.Token) {
		t.Errorf("a secret is in the log: %s", a.body)
	}
}

// TestGuessingIsSlowed: wrong tokens are a 401 in the seed's words until there are too many; who
// was known at the address before is not held up.
func TestGuessingIsSlowed(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	f := startWith(t, access.Options{Now: func() time.Time { return now }}, nil)
	ask := func(token string) answer { return f.post(t, "/api/demo/echo/shop", `{}`, "token", token) }
	if ask(f.account).status != 200 {
		t.Fatal("a good token")
	}
	var slowed answer
	for range 30 {
		if slowed = ask("tap_guess"); slowed.status != 401 {
			break
		}
		if !strings.Contains(slowed.body, `"message":"Invalid token"`) {
			t.Fatalf("a wrong token: %s", slowed.body)
		}
	}
	if slowed.status != 429 || slowed.header.Get("Retry-After") != "6" {
		t.Errorf("after many: %d %v", slowed.status, slowed.header)
	}
	if a := ask(f.instance); a.status != 429 {
		t.Errorf("a good token that might be a guess: %d", a.status)
	}
	if a := ask(f.account); a.status != 200 {
		t.Errorf("a token that was used there before: %d", a.status)
	}
	now = now.Add(6 * time.Second)
	if a := ask(f.instance); a.status != 200 {
		t.Errorf("after Retry-After: %d", a.status)
	}
}

// TestRateLimitHeaders are the IETF's beside the seed's.
func TestRateLimitHeaders(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	f := startWith(t, access.Options{Now: func() time.Time { return now }}, nil)
	h := f.post(t, "/api/demo/echo/shop", `{}`, "token", f.account).header
	for name, want := range map[string]string{
		"RateLimit-Policy": `"requests";q=100;w=60`, "RateLimit": `"requests";r=99;t=1`,
		"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "99", "X-RateLimit-Reset": "1800000002",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestPagesOfOtherOriginsAreRefused: neither a simple request nor a preflight of a foreign page
// gets anywhere, and no answer may be read by one.
func TestPagesOfOtherOriginsAreRefused(t *testing.T) {
	f := start(t, nil)
	for _, header := range [][]string{
		{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site", "Origin", "https://sub.example"},
	} {
		a := f.post(t, "/api/demo/echo/shop", `{}`, append(header, "token", f.account, "Content-Type", "text/plain")...)
		if a.status != http.StatusForbidden || len(f.calls) > 0 || a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v: %d %v", header, a.status, a.header)
		}
	}
	a := f.call(t, http.MethodOptions, "/api/demo/echo/shop", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "token")
	if a.status < 400 || a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Access-Control-Allow-Headers") != "" {
		t.Errorf("preflight: %d %v", a.status, a.header)
	}
}
