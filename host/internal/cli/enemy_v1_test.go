package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const callMenu = "/v1/operations/whatsapp.sendButtons@1/execute"

// TestHostileV1: an invalid request to /v1 is refused with a problem whose status and code say what
// is wrong, and a valid request succeeds afterwards.
func TestHostileV1(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	good := `{"input":` + strings.Replace(goodMenu, "{", `{"instance":"demo",`, 1) + `}`
	with := func(method, path, body string, header ...string) string {
		if method == "POST" || body != "" {
			header = append(header, fmt.Sprintf("Content-Length: %d", len(body)))
		}
		return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\ntoken: " + s.token + "\r\n" + strings.Join(header, "\r\n") + "\r\n\r\n" + body
	}
	post := func(body string, header ...string) string { return with("POST", callMenu, body, header...) }
	chunked := func(chunks string) string {
		return "POST " + callMenu + " HTTP/1.1\r\nHost: localhost\r\ntoken: " + s.token + "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
	}
	deep := strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000)
	for _, c := range []struct {
		name, request string
		status        int
		code, place   string
	}{
		{"no token", strings.Replace(post(good), "token: ", "x: ", 1), 401, "unauthenticated", ""},
		{"a wrong token", strings.Replace(post(good), "token: ", "token: x", 1), 401, "unauthenticated", ""},
		{"a foreign host", strings.Replace(post(good), "localhost", "shop.example", 1), 403, "forbidden", ""},
		{"a page of another origin", post(good, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"), 403, "forbidden", ""},

		{"an escaped slash", with("GET", "/v1/operations%2fwhatsapp.sendButtons@1", ""), 404, "not_found", ""},
		{"dots", with("GET", "/v1/flows/../nodes", ""), 404, "not_found", ""},
		{"escaped dots", with("GET", "/v1/runs/%2e%2e/steps", ""), 404, "not_found", ""},
		{"two slashes", with("GET", "/v1//nodes", ""), 404, "not_found", ""},
		{"another case", with("GET", "/V1/nodes", ""), 404, "", ""},
		{"another case below", with("GET", "/v1/NODES", ""), 404, "not_found", ""},
		{"not UTF-8", with("GET", "/v1/runs/%ff", ""), 404, "not_found", ""},
		{"NUL", with("GET", "/v1/instances/a%00b", ""), 404, "not_found", ""},
		{"a line break", with("GET", "/v1/instances/a%0d%0ab", ""), 400, "pattern", ""},
		{"another method", with("PATCH", callMenu, ""), 405, "method_not_allowed", ""},
		{"TRACE", with("TRACE", callMenu, ""), 405, "method_not_allowed", ""},

		{"an unknown parameter", with("GET", "/v1/runs?colour=red", ""), 400, "invalid_request", ""},
		{"a parameter twice", with("GET", "/v1/runs?flow=a&flow=b", ""), 400, "invalid_request", ""},
		{"a parameter that is no number", with("GET", "/v1/runs?limit=many", ""), 400, "invalid_request", ""},
		{"a parameter over its limit", with("GET", "/v1/runs?limit=501", ""), 400, "invalid_request", ""},
		{"a parameter that is not UTF-8", with("GET", "/v1/runs?about=%ff", ""), 400, "invalid_request", ""},
		{"a place that no page named", with("GET", "/v1/runs?after=x", ""), 400, "invalid_request", ""},

		{"an unknown member", post(`{"input":{},"dryrun":true}`), 400, "invalid_body", "/dryrun"},
		{"a member twice", post(`{"input":{},"input":{}}`), 400, "invalid_body", "/input"},
		{"a member below twice", post(`{"input":{"a":1,"a":2}}`), 400, "invalid_body", "/input/a"},
		{"a member in another case", post(`{"Input":{}}`), 400, "invalid_body", "/Input"},
		{"an input that is no object", post(`{"input":[]}`), 400, "invalid_body", "/input"},
		{"not UTF-8 in the body", post("{\"input\":{\"a\":\"\xff\"}}"), 400, "invalid_body", ""},
		{"half a surrogate pair", post(`{"input":{"a":"\ud800"}}`), 400, "invalid_body", ""},
		{"two documents", post(`{} {}`), 400, "invalid_body", ""},
		{"no JSON", post(`hello`), 400, "invalid_body", ""},
		{"a deep body", post(`{"input":` + deep + `}`), 400, "invalid_body", ""},
		{"many values", post(`{"input":{"a":[` + strings.Repeat("1,", 200_000) + `1]}}`), 400, "invalid_body", ""},
		{"a body over the limit", with("POST", "/v1/instances", `{"name":"`+strings.Repeat("x", 64<<10)+`"}`), 413, "too_large", ""},
		{"a body where none is taken", with("POST", "/v1/nodes/x/restart", `{"a":1}`), 400, "invalid_body", ""},
		{"chunks without end", chunked(strings.Repeat("100000\r\n"+strings.Repeat(" ", 1<<20)+"\r\n", 17)), 413, "too_large", ""},
		{"a broken chunk", chunked("zz\r\n{}\r\n"), 400, "invalid_body", ""},

		{"another content type", post(good, "Content-Type: text/xml"), 415, "unsupported_media_type", ""},
		{"a form", post(good, "Content-Type: application/x-www-form-urlencoded"), 415, "unsupported_media_type", ""},
		{"two content types", post(good, "Content-Type: application/json", "Content-Type: text/plain"), 415, "unsupported_media_type", ""},
		{"another charset", post(good, "Content-Type: application/json; charset=utf-16"), 415, "unsupported_media_type", ""},
		{"a compressed body", post(good, "Content-Encoding: gzip"), 415, "unsupported_media_type", ""},
		{"two keys", post(good, "Idempotency-Key: a", "Idempotency-Key: b"), 400, "invalid_key", ""},
		{"a key that is not UTF-8", post(good, "Idempotency-Key: \xff"), 400, "invalid_key", ""},
		{"a violation of the node's", post(`{"input":{"instance":"demo","number":"5511999990001","contentText":"x","buttons":[]}}`), 400, "", "/input/buttons"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, kind, body := s.raw(t, c.request)
			var p struct {
				Status int
				Code   string
				Errors []struct{ Pointer string }
			}
			err := json.Unmarshal([]byte(body), &p)
			if c.name == "another case" { // outside the APIs: plain text
				err, p.Status, kind = nil, status, "application/problem+json"
			}
			if err != nil || status != c.status || p.Status != status || kind != "application/problem+json" || c.code != "" && p.Code != c.code {
				t.Fatalf("answered %d %s %.300s (%v), want %d %s", status, kind, body, err, c.status, c.code)
			}
			if c.place != "" && (len(p.Errors) == 0 || p.Errors[0].Pointer != c.place) {
				t.Errorf("at %+v, want %s", p.Errors, c.place)
			}
		})
	}
	if status, body := s.do(t, "POST", callMenu, good, "Content-Type", "application/json; charset=UTF-8"); status != 200 {
		t.Errorf("a good request: %d %s", status, body)
	}
}

// raw sends the bytes unchanged and reads one answer.
func (s *served) raw(t *testing.T, request string) (status int, kind, body string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(conn, request) }() // the server may refuse before it has read everything
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body) // only the status matters
	return res.StatusCode, res.Header.Get("Content-Type"), string(raw)
}
