package api

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
)

// own is what browsers say of requests that a page of the host makes.
var own = []string{"Sec-Fetch-Site", "same-origin"}

// code is that of a new link.
func (f *fixture) code(t *testing.T) string {
	t.Helper()
	link, err := f.SignInLink(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	before, code, ok := strings.Cut(link.URL, "#code=")
	if !ok || before != f.URL()+"/ui/sign-in" || len(code) < 26 {
		t.Fatalf("the link is %s", link.URL)
	}
	return code
}

// signIn begins a session and returns its cookie, as it is sent.
func (f *fixture) signIn(t *testing.T, body string, header ...string) (cookie string) {
	t.Helper()
	a := f.post(t, "/v1/session", body, slices.Concat(own, header)...)
	set := a.header.Get("Set-Cookie")
	if a.status != 201 || set == "" {
		t.Fatalf("sign in: %d %s", a.status, a.body)
	}
	cookie, _, _ = strings.Cut(set, ";")
	return cookie
}

// as is a request of a page of the host with a cookie.
func (f *fixture) as(t *testing.T, cookie, method, path, body string, header ...string) answer {
	t.Helper()
	return f.call(t, method, path, body, slices.Concat(own, []string{"Cookie", cookie}, header)...)
}

// TestSession: a link signs in once, the cookie does what a token does, and ends when its owner says so.
func TestSession(t *testing.T) {
	f := start(t, func(o *Options) { o.Simulated = true })
	code := f.code(t)
	a := f.post(t, "/v1/session", `{"code":"`+code+`"}`, own...)
	if a.status != 201 {
		t.Fatal(a.status, a.body)
	}
	set, err := http.ParseSetCookie(a.header.Get("Set-Cookie"))
	if err != nil || set.Name != "tapnode_session" || !set.HttpOnly || set.SameSite != http.SameSiteStrictMode || set.Path != "/" || set.Secure || set.Domain != "" || set.MaxAge != 7*24*3600 || len(set.Value) < 43 {
		t.Errorf("the cookie is %v (%v)", set, err)
	}
	if strings.Contains(a.body, set.Value) || strings.Contains(a.body, code) || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the answer tells a secret, or may be kept: %v %s", a.header, a.body)
	}
	if again := f.post(t, "/v1/session", `{"code":"`+code+`"}`, own...); again.status != 401 || again.header.Get("Set-Cookie") != "" {
		t.Errorf("the code again: %d %v", again.status, again.header)
	}
	cookie := set.Name + "=" + set.Value
	var who struct {
		Token, Session, Version string
		Scopes                  []string
		Until                   time.Time
		Simulated               bool
	}
	me := f.as(t, cookie, "GET", "/v1/session", "")
	if err := json.Unmarshal([]byte(me.body), &who); err != nil || me.status != 200 || who.Token != "control" || who.Session == "" || !slices.Equal(who.Scopes, []string{"send", "read", "manage"}) ||
		!who.Simulated || who.Version == "" || time.Until(who.Until) > 12*time.Hour || time.Until(who.Until) < 11*time.Hour {
		t.Errorf("who: %d %s", me.status, me.body)
	}
	if me.header.Get("X-RateLimit-Limit") != "600" || !strings.Contains(me.header.Get("RateLimit-Policy"), `"pages";q=600`) {
		t.Errorf("limits: %v", me.header)
	}
	for _, path := range []string{"/v1/tokens", "/v1/events", "/v1/audit"} {
		if a := f.as(t, cookie, "GET", path, ""); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := f.as(t, cookie, "POST", "/api/demo/echo/shop", `{}`); a.status != 200 {
		t.Errorf("the seed's API: %d %s", a.status, a.body)
	}
	if a := f.as(t, cookie, "GET", "/v1/session", "", "token", f.instance); !strings.Contains(a.body, `"instances":["shop"]`) || strings.Contains(a.body, `"session"`) {
		t.Errorf("a token beside the cookie: %s", a.body)
	}
	if a := f.as(t, cookie, "GET", "/v1/tokens", "", "token", "tap_wrong"); a.status != 401 {
		t.Errorf("a wrong token beside the cookie: %d", a.status)
	}
	if a := f.as(t, cookie, "POST", "/v1/session/link", ""); a.status != 403 {
		t.Errorf("a session made a link: %d %s", a.status, a.body)
	}
	other := f.signIn(t, `{"code":"`+f.code(t)+`"}`)
	out := f.as(t, cookie, "DELETE", "/v1/session", "")
	if gone, err := http.ParseSetCookie(out.header.Get("Set-Cookie")); out.status != 204 || err != nil || gone.MaxAge != -1 || gone.Value != "" {
		t.Errorf("sign out: %d %v", out.status, out.header)
	}
	if a := f.as(t, cookie, "GET", "/v1/session", ""); a.status != 401 {
		t.Errorf("after the end: %d %s", a.status, a.body)
	}
	if a := f.as(t, other, "GET", "/v1/session", ""); a.status != 200 {
		t.Errorf("another session ended, too: %d", a.status)
	}
	if a := f.call(t, "DELETE", "/v1/session", "", "token", f.account); a.status != 404 {
		t.Errorf("a token's session: %d", a.status)
	}
	log := f.call(t, "GET", "/v1/audit", "", "token", f.account).body
	for _, want := range []string{`"caller":"control","name":"sign-in link","action":"POST /v1/session","about":"session ` + who.Session, `"action":"DELETE /v1/session","about":"session ` + who.Session} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log has no %s: %s", want, log)
		}
	}
	if strings.Contains(log, set.Value) || strings.Contains(log, code) {
		t.Error("a secret is in the audit log")
	}
}

// TestSessionOfAToken has the token's rights and ends with it; signing out everywhere ends all of them.
func TestSessionOfAToken(t *testing.T) {
	f := start(t, nil)
	made := func() (secret, id string) {
		var m struct{ Token, ID string }
		if err := json.Unmarshal([]byte(f.post(t, "/v1/tokens", `{"scopes":["read"],"instances":["shop"]}`, "token", f.account).body), &m); err != nil {
			t.Fatal(err)
		}
		return m.Token, m.ID
	}
	begin := func(secret string) string { return f.signIn(t, `{"token":"`+secret+`"}`) }
	status := func(cookie string) int { return f.as(t, cookie, "GET", "/v1/session", "").status }
	secret, id := made()
	one, two := begin(secret), begin(secret)
	if a := f.as(t, one, "GET", "/v1/session", ""); !strings.Contains(a.body, `"token":"`+id+`","scopes":["read"],"instances":["shop"]`) {
		t.Errorf("it may %s", a.body)
	}
	if a := f.as(t, one, "POST", "/api/demo/echo/shop", `{}`); a.status != 403 {
		t.Errorf("it may change: %d", a.status)
	}
	if a := f.as(t, one, "DELETE", "/v1/session?everywhere=true", ""); a.status != 204 || status(one) != 401 || status(two) != 401 {
		t.Errorf("everywhere: %d, then %d %d", a.status, status(one), status(two))
	}
	one = begin(secret)
	var rotated struct{ Token string }
	_ = json.Unmarshal([]byte(f.post(t, "/v1/tokens/"+id+"/rotate", `{"graceSeconds":60}`, "token", f.account).body), &rotated)
	if status(one) != 200 {
		t.Error("the session ended while its token's grace goes on")
	}
	f.post(t, "/v1/tokens/"+id+"/rotate", ``, "token", f.account)
	if status(one) != 401 {
		t.Error("the session outlives the secret that it began with")
	}
	secret, id = made()
	one = begin(secret)
	f.call(t, "DELETE", "/v1/tokens/"+id, "", "token", f.account)
	if status(one) != 401 {
		t.Error("the session outlives its token")
	}
	for _, body := range []string{`{}`, `{"code":"a","token":"b"}`} {
		if a := f.post(t, "/v1/session", body); a.status != 422 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := f.post(t, "/v1/session", `{"token":"`+secret+`"}`); a.status != 401 || a.header.Get("Set-Cookie") != "" {
		t.Errorf("a token that ended signs in: %d", a.status)
	}
}

// TestSessionEnds by the clock: 12 hours after its use, 7 days after its begin. Streams are no use.
func TestSessionEnds(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	f := startWith(t, access.Options{Now: func() time.Time { return now }}, nil)
	code := f.code(t)
	now = now.Add(15 * time.Minute)
	if a := f.post(t, "/v1/session", `{"code":"`+code+`"}`); a.status != 401 {
		t.Errorf("a code of a quarter of an hour: %d", a.status)
	}
	idle, busy := f.signIn(t, `{"code":"`+f.code(t)+`"}`), f.signIn(t, `{"token":"`+f.account+`"}`)
	for i := range 16 {
		now = now.Add(11 * time.Hour)
		want := 200
		if i == 15 { // 176 hours
			want = 401
		}
		if a := f.as(t, busy, "GET", "/v1/session", ""); a.status != want {
			t.Errorf("after %d hours of use: %d, want %d", 11*(i+1), a.status, want)
		}
	}
	if a := f.as(t, idle, "GET", "/v1/session", ""); a.status != 401 {
		t.Errorf("unused: %d", a.status)
	}
	watched := f.signIn(t, `{"code":"`+f.code(t)+`"}`)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/events", nil)
	req.Header.Set("Cookie", watched)
	now = now.Add(11 * time.Hour)
	if !f.valid(t.Context(), req) {
		t.Error("a stream ended before its session")
	}
	now = now.Add(time.Hour)
	if f.valid(t.Context(), req) {
		t.Error("a stream keeps its session, or outlives it")
	}
}

// TestCookieCountsForOwnPagesAlone: what a page of somebody else makes a browser do, it does as nobody.
func TestCookieCountsForOwnPagesAlone(t *testing.T) {
	f := start(t, func(o *Options) { o.Origins = []string{"https://crm.example"} })
	cookie := f.signIn(t, `{"code":"`+f.code(t)+`"}`)
	for _, c := range []struct {
		name, method string
		header       []string
		status       int
	}{
		{"our page reads", "GET", own, 200},
		{"our page changes", "POST", own, 200},
		{"an address is typed", "GET", []string{"Sec-Fetch-Site", "none"}, 200},
		{"an old browser reads", "GET", nil, 200},
		{"our page in an old browser", "POST", []string{"Origin", f.URL()}, 200},
		{"nobody says who", "POST", nil, 403},
		{"a typed address that changes", "POST", []string{"Sec-Fetch-Site", "none"}, 403},
		{"another port of this machine reads", "GET", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"another port of this machine", "POST", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:1"}, 403},
		{"another port in an old browser", "POST", []string{"Origin", "http://127.0.0.1:1"}, 403},
		{"another site reads", "GET", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another site", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403},
		{"another scheme", "POST", []string{"Origin", strings.Replace(f.URL(), "http:", "https:", 1)}, 403},
		{"a page that may call with a token", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://crm.example"}, 403},
		{"the same in an old browser", "GET", []string{"Origin", "https://crm.example"}, 403},
		{"a page without an origin", "POST", []string{"Origin", "null"}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := "/api/demo/echo/shop"
			if c.method == "GET" {
				path = "/v1/session"
			}
			if a := f.call(t, c.method, path, "", append(c.header, "Cookie", cookie)...); a.status != c.status {
				t.Errorf("%d %s, want %d", a.status, a.body, c.status)
			}
		})
	}
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site", "Origin", "https://crm.example"}, {"Sec-Fetch-Site", "same-site"}} {
		if a := f.post(t, "/v1/session", `{"code":"`+f.code(t)+`"}`, header...); a.status != 403 || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%v signs a browser in: %d", header, a.status)
		}
	}
	for _, c := range []struct {
		name, origin string
		status       int
	}{{"ours", f.URL(), 101}, {"foreign", "https://evil.example", 403}, {"one that may with a token", "https://crm.example", 403}, {"none", "", 403}} {
		h := http.Header{"Cookie": {cookie}}
		if c.origin != "" {
			h.Set("Origin", c.origin)
		}
		if _, res, err := f.dial(t, "/v1/events", &websocket.DialOptions{HTTPHeader: h}); res == nil || res.StatusCode != c.status {
			t.Errorf("a socket of the origin %s: %v %v", c.name, res, err)
		}
	}
}

// TestSessionIsNeverTheBrowsersChoice: who plants a cookie gains nothing, and signing in anew ends the
// session before.
func TestSessionIsNeverTheBrowsersChoice(t *testing.T) {
	f := start(t, nil)
	const planted = "tapnode_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	mine := f.signIn(t, `{"code":"`+f.code(t)+`"}`, "Cookie", planted)
	if mine == planted || f.as(t, planted, "GET", "/v1/session", "").status != 401 || f.as(t, mine, "GET", "/v1/session", "").status != 200 {
		t.Errorf("the planted cookie counts: %s", mine)
	}
	next := f.signIn(t, `{"code":"`+f.code(t)+`"}`, "Cookie", mine)
	if f.as(t, mine, "GET", "/v1/session", "").status != 401 || f.as(t, next, "GET", "/v1/session", "").status != 200 {
		t.Error("the session before goes on")
	}
}

// TestCookieByTLS is Secure and no other host's to set, by TLS here and before a proxy that says so.
func TestCookieByTLS(t *testing.T) {
	lent := httptest.NewTLSServer(http.NotFoundHandler())
	defer lent.Close()
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(lent.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	direct := start(t, func(o *Options) {
		o.CertFile, o.KeyFile = file("cert", "CERTIFICATE", lent.Certificate().Raw), file("key", "PRIVATE KEY", key)
	})
	proxied := start(t, func(o *Options) { o.Proxies = []string{"127.0.0.1"}; o.Hosts = []string{"bot.example"} })
	for name, f := range map[string]*fixture{"direct": direct, "proxied": proxied} {
		ask := func(method, path, body string, header ...string) *http.Response {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), method, f.URL()+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if name == "proxied" {
				req.Host = "bot.example"
				req.Header.Set("X-Forwarded-Proto", "https")
			}
			for i := 0; i < len(header); i += 2 {
				req.Header.Set(header[i], header[i+1])
			}
			res, err := lent.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			return res
		}
		link, err := f.SignInLink(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		at, code, _ := strings.Cut(link.URL, "#code=")
		if want := map[string]string{"direct": f.URL(), "proxied": "https://bot.example"}[name]; at != want+"/ui/sign-in" {
			t.Errorf("%s: the link is at %s", name, at)
		}
		res := ask("POST", "/v1/session", `{"code":"`+code+`"}`, own...)
		if len(res.Cookies()) != 1 {
			t.Fatalf("%s: %s %v", name, res.Status, res.Header)
		}
		c := res.Cookies()[0]
		if c.Name != "__Host-tapnode_session" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" {
			t.Errorf("%s: %v", name, c)
		}
		if res := ask("GET", "/v1/session", "", "Cookie", c.Name+"="+c.Value); res.StatusCode != 200 {
			t.Errorf("%s: with the cookie: %s", name, res.Status)
		}
		if res := ask("GET", "/v1/session", "", "Cookie", "tapnode_session="+c.Value); res.StatusCode != 401 {
			t.Errorf("%s: a cookie that others can set: %s", name, res.Status)
		}
	}
	lent.Client().CloseIdleConnections()
}

// TestGuessingCodes is slowed down as guessing tokens is, and a page that outlives its session is not.
func TestGuessingCodes(t *testing.T) {
	now := time.Now()
	f := startWith(t, access.Options{Now: func() time.Time { return now }}, nil)
	for range 40 {
		if a := f.as(t, "tapnode_session=of-a-database-that-was", "GET", "/v1/session", ""); a.status != 401 || !strings.Contains(a.header.Get("Set-Cookie"), "Max-Age=0") {
			t.Fatalf("an old cookie: %d %v", a.status, a.header)
		}
	}
	statuses := map[int]int{}
	for range 25 {
		a := f.post(t, "/v1/session", `{"code":"JBSWY3DPEHPK3PXPJBSWY3DPEH"}`)
		statuses[a.status]++
		if a.status == 429 && a.header.Get("Retry-After") == "" {
			t.Error("nobody says when to come back")
		}
	}
	if statuses[401] != 20 || statuses[429] != 5 {
		t.Errorf("25 wrong codes: %v", statuses)
	}
	code := f.code(t)
	if a := f.post(t, "/v1/session", `{"code":"`+code+`"}`); a.status != 429 {
		t.Errorf("a right code among them tells that it is right: %d", a.status)
	}
}

// TestSessionSecretsAreHashed: who reads the database can be nobody.
func TestSessionSecretsAreHashed(t *testing.T) {
	dir := t.TempDir()
	log, err := sqllog.Open(t.Context(), sqllog.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	a, err := access.Open(t.Context(), access.Options{DB: log.DB()})
	if err != nil {
		t.Fatal(err)
	}
	code, _, err := a.Link(t.Context(), access.AccountScopes())
	if err != nil {
		t.Fatal(err)
	}
	used, _, err := a.Link(t.Context(), access.AccountScopes())
	if err != nil {
		t.Fatal(err)
	}
	secret, s, ok, err := a.Redeem(t.Context(), used)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, path := range files(t, dir) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{code, used, secret} {
			if bytes.Contains(raw, []byte(text)) {
				t.Errorf("%s has a secret in clear", path)
			}
		}
		found = found || bytes.Contains(raw, []byte(s.Session))
	}
	if !found {
		t.Error("the session is in no file: this test looks at nothing")
	}
}

func files(t *testing.T, dir string) (paths []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestSeated: who is signed in sees and ends the sessions of the same token, and who manages the host everybody's.
func TestSeated(t *testing.T) {
	f := start(t, nil)
	secret, _, err := f.opt.Access.Create(t.Context(), access.Owner(), access.Token{Name: "desk", Scopes: []access.Scope{access.Read}})
	if err != nil {
		t.Fatal(err)
	}
	owner, desk, other := f.signIn(t, `{"code":"`+f.code(t)+`"}`), f.signIn(t, `{"token":"`+secret+`"}`), f.signIn(t, `{"token":"`+secret+`"}`)
	type session struct {
		ID, Name         string
		Own              bool
		Began, Used      time.Time
		Until            time.Time
		Token            string
		Scopes, Instance []string
	}
	list := func(cookie string) []session {
		t.Helper()
		a := f.as(t, cookie, "GET", "/v1/sessions", "")
		var got struct{ Sessions []session }
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
			t.Fatal(a.status, a.body)
		}
		return got.Sessions
	}
	own := func(all []session) (own []string) {
		for _, s := range all {
			if s.Own {
				own = append(own, s.ID)
			}
			if s.Began.IsZero() || s.Used.Before(s.Began) || !s.Until.After(s.Used) {
				t.Errorf("times: %+v", s)
			}
		}
		return own
	}
	all, mine := list(owner), list(desk)
	if len(all) != 3 || len(own(all)) != 1 || len(mine) != 2 || len(own(mine)) != 1 || mine[0].Name != "desk" {
		t.Fatalf("seen by the owner: %+v; by the desk: %+v", all, mine)
	}
	if a := f.as(t, desk, "DELETE", "/v1/sessions/"+own(all)[0], ""); a.status != 404 {
		t.Errorf("the desk ended the owner's: %d %s", a.status, a.body)
	}
	if a := f.as(t, owner, "DELETE", "/v1/sessions/"+own(mine)[0], ""); a.status != 204 {
		t.Errorf("the owner ended none: %d %s", a.status, a.body)
	}
	if a := f.as(t, desk, "GET", "/v1/session", ""); a.status != 401 {
		t.Errorf("an ended session goes on: %d", a.status)
	}
	if a := f.as(t, other, "DELETE", "/v1/sessions", ""); a.status != 200 || a.body != `{"ended":0}` {
		t.Errorf("the desk alone: %d %s", a.status, a.body)
	}
	if a := f.as(t, owner, "DELETE", "/v1/sessions", ""); a.status != 200 || a.body != `{"ended":1}` {
		t.Errorf("the owner: %d %s", a.status, a.body)
	}
	if left := list(owner); len(left) != 1 || !left[0].Own {
		t.Errorf("left: %+v", left)
	}
}
