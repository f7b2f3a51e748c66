package cli

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestSignIn: serve and signin print links that open the page once, a session from an instance's
// own token ends with that token, and the operator of the host ends all sessions.
func TestSignIn(t *testing.T) {
	t.Parallel()
	b := beside{t, filepath.Join(shortDir(t), "data")}
	s := serveSimulated(t, "--data", b.data)
	printed := s.until(t, `open it in a browser, once, until [\d:]+: (http://\S+)`)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	begin := func(body string) (cookie string) {
		t.Helper()
		status, header, text := s.asked(t, "POST", "/v1/session", body, "Sec-Fetch-Site", "same-origin")
		cookie, _, _ = strings.Cut(header.Get("Set-Cookie"), ";")
		if status != 201 || cookie == "" || !strings.Contains(text, `"simulated":true`) {
			t.Fatalf("sign in: %d %v %s", status, header, text)
		}
		return cookie
	}
	code := func(link string) string {
		t.Helper()
		code, ok := strings.CutPrefix(strings.TrimSpace(link), s.url+"/ui/sign-in#code=")
		if !ok {
			t.Fatalf("the link is %s, and the host at %s", link, s.url)
		}
		return `{"code":"` + code + `"}`
	}
	lasts := func(cookie string) bool {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/session", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", cookie)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	}
	first, second := begin(code(printed)), begin(code(b.says("signin --scopes read", `for one browser, until`)))
	if status, text := s.do(t, "POST", "/v1/session", code(printed)); status != 401 {
		t.Errorf("the link again: %d %s", status, text)
	}
	_, text := s.do(t, "POST", "/v1/instances/demo/token", "")
	_, own, ok := strings.Cut(text, `"token":"`)
	own, _, _ = strings.Cut(own, `"`)
	if !ok {
		t.Fatal(text)
	}
	instance := begin(`{"token":"` + own + `"}`)
	if !lasts(first) || !lasts(second) || !lasts(instance) {
		t.Error("a session that has begun does not count")
	}
	s.do(t, "POST", "/v1/instances/demo/token", "")
	if lasts(instance) {
		t.Error("a session outlives the token of its instance")
	}
	b.says("signin --end")
	if lasts(first) || lasts(second) {
		t.Error("a session goes on that was ended beside the host")
	}
	if _, errs := b.do(exitInvalid, "signin", "--scopes", "raed"); !strings.Contains(errs, "send, read, manage, reveal") {
		t.Errorf("a slip: %s", errs)
	}
	b.says("audit", `control \(sign-in link\) +127\.0\.0\.1 +201 +POST /v1/session: session s`, `control +- +204 +DELETE /v1/session: all sessions of control`)
	if strings.Contains(s.said.String(), "code=") {
		t.Error("the log has a link")
	}
}
