package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/sdk/nodetest"
)

const goodMenu = `{"number":"5511999990001","contentText":"👩‍👩‍👧‍👦 e\u0301","buttons":[{"id":"1","displayText":"é 🇧🇷"},{"id":"e\u0301","displayText":"👍🏽"}]}`

// TestHostileBodies: every endpoint that takes JSON refuses every hostile document with a 4xx
// status and a message, and a valid request succeeds afterwards.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	b := beside{t, filepath.Join(shortDir(t), "data")}
	s := serveSimulated(t, "--data", b.data)
	s.until(t, `wait.armed +ask`)
	doors := map[string]string{} // each with its own token, and so its own limit
	for _, path := range []string{endpoint + "demo", "/v1/flows/menu/runs", "/v1/flows", "/v1/instances", callMenu, "/sim/v1/faults"} {
		out, _ := b.do(exitOK, "tokens", "create")
		doors[path] = strings.TrimSpace(out)
	}
	token, _ := s.ask(t, s.token, "GET", "/api/instance/list?instanceName=demo", "").at("instances.0.token").(string) // which has its own limit
	for _, in := range nodetest.Hostile() {
		for path, key := range doors {
			if path == "/v1/flows/menu/runs" && (len(strings.TrimSpace(string(in.Bytes))) == 0 || in.Name == "empty object") {
				continue // the defaults
			}
			status, body := s.do(t, "POST", path, string(in.Bytes), "Content-Type", "application/json", "token", key)
			if status < 400 || status > 499 || len(body) < 20 || len(body) > len(in.Bytes)+64<<10 {
				t.Errorf("%s to %s: %d %.300s", in.Name, path, status, body)
			}
		}
		if a := s.ask(t, token, "POST", "/api/message/text/demo", string(in.Bytes)); a.status < 400 || a.status > 428 {
			t.Errorf("%s as a text: %d %.300s", in.Name, a.status, a.raw)
		}
		if a := s.ask(t, token, "POST", "/api/events/webhook/demo", string(in.Bytes)); a.status != 200 && (a.status < 400 || a.status > 428) { // 200: it has no known member
			t.Errorf("%s as a webhook: %d %.300s", in.Name, a.status, a.raw)
		}
		if status, _ := s.do(t, "GET", "/healthz", ""); status != 200 {
			t.Fatalf("after %s: %d", in.Name, status)
		}
	}
	if status, body := s.do(t, "POST", endpoint+"demo", goodMenu); status != 200 {
		t.Errorf("a good request: %d %s", status, body)
	}
}

// TestBodyAtTheLimit: a body of the largest allowed size reaches the node and comes back with its
// message; a larger one is refused here. Neither answer asks for a retry.
func TestBodyAtTheLimit(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	for _, over := range []int{0, 1} {
		body := `{"number":"5511999990001","contentText":"`
		body += strings.Repeat("x", 16<<20-64<<10+over-len(body)-2) + `"}`
		if status, answer := s.do(t, "POST", endpoint+"demo", body); status != 400 {
			t.Errorf("%d bytes over the limit: %d %.300s", over, status, answer)
		}
	}
}

// TestHostileRequests: an error below the level of JSON at most ends its own connection.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	post := func(path string, header ...string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\ntoken: " + s.token + "\r\n" + strings.Join(header, "\r\n") + "\r\n\r\n"
	}
	menu := fmt.Sprintf("Content-Length: %d", len(goodMenu))
	for _, c := range []struct {
		name, request string
		status        int // 0: the connection ends without an answer
	}{
		{"nothing", "", 0},
		{"no HTTP", "\x16\x03\x01\x00\x05hello\r\n\r\n", 400},
		{"body that ends early", post(endpoint+"demo", "Content-Length: 100") + `{"number":`, 400},
		{"length twice", post(endpoint+"demo", "Content-Length: 1", "Content-Length: 2") + "{}", 400},
		{"negative length", post(endpoint+"demo", "Content-Length: -1"), 400},
		{"length and chunks", post(endpoint+"demo", "Content-Length: 2", "Transfer-Encoding: chunked, x") + "{}", 501},
		{"bad chunk", post(endpoint+"demo", "Transfer-Encoding: chunked") + "zz\r\n{}\r\n", 400},
		{"chunks without end", post(endpoint+"demo", "Transfer-Encoding: chunked") + strings.Repeat("100000\r\n"+strings.Repeat(" ", 1<<20)+"\r\n", 17), 400},
		{"huge header", post(endpoint+"demo", "X: "+strings.Repeat("x", 1<<20)), 431},
		{"long key", post(endpoint+"demo", "Idempotency-Key: "+strings.Repeat("k", 201), menu) + goodMenu, 400},
		{"long key of a run", post("/v1/flows/menu/runs", "Idempotency-Key: "+strings.Repeat("k", 10_000), "Content-Length: 2") + "{}", 400},
		{"key that is not UTF-8", post(endpoint+"demo", "Idempotency-Key: k\xff", menu) + goodMenu, 400},
		{"key of a run that is not UTF-8", post("/v1/flows/menu/runs", "Idempotency-Key: k\xff", "Content-Length: 2") + "{}", 400},
		{"two keys", post(endpoint+"demo", "Idempotency-Key: a", "Idempotency-Key: b", menu) + goodMenu, 400},
		{"line break in a header", post(endpoint+"demo", "X: a\rb", menu) + goodMenu, 400},
		{"foreign host", strings.Replace(post(endpoint+"demo", menu)+goodMenu, "localhost", "shop.example", 1), 403},
		{"no token", "POST " + endpoint + "demo HTTP/1.1\r\nHost: localhost\r\n" + menu + "\r\n\r\n" + goodMenu, 401},
		{"wrong method", strings.Replace(post(endpoint+"demo", menu)+goodMenu, "POST", "TRACE", 1), 405},
		{"dots", post(endpoint+"%2e%2e", menu) + goodMenu, 400},
		{"dots and slashes", post(endpoint+"..%2f..%2fv1", menu) + goodMenu, 400},
		{"not UTF-8", post(endpoint+"%ff%fe", menu) + goodMenu, 400},
		{"NUL", post(endpoint+"a%00b", menu) + goodMenu, 400},
		{"line break", post(endpoint+"a%0d%0ab", menu) + goodMenu, 400},
		{"long name", post(endpoint+strings.Repeat("x", 10_000), menu) + goodMenu, 400},
		{"unknown escape", post(endpoint+"%zz", menu) + goodMenu, 400},
		{"unknown instance", post(endpoint+"nobody", menu) + goodMenu, 404},
		{"other content type", post(endpoint+"demo", "Content-Type: text/plain", menu) + goodMenu, 200},
		{"flow with dots", post("/v1/flows/..%2fmenu/runs", "Content-Length: 2") + "{}", 404},
		{"run with escapes", strings.Replace(post("/v1/runs/%00*.%3E/steps"), "POST", "GET", 1), 404},
		{"web socket that is none", strings.Replace(post("/ws/demo?token="+s.token), "POST", "GET", 1), 426},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body, err := roundTrip(t, s, c.request, c.status == 0 || strings.HasSuffix(c.name, "early"))
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) || status != c.status {
				t.Errorf("answered %d %.300s (%v), want %d", status, body, err, c.status)
			}
			if status, _ := s.do(t, "GET", "/healthz", ""); status != 200 {
				t.Fatalf("afterwards: %d", status)
			}
		})
	}
	if status, body := s.do(t, "POST", endpoint+"demo", goodMenu); status != 200 {
		t.Errorf("a good request: %d %s", status, body)
	}
}

// roundTrip sends the bytes unchanged and reads one answer. With ends the server sees the end of
// the input.
func roundTrip(t *testing.T, s *served, request string, ends bool) (status int, body string, err error) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(conn, request) // the server may refuse before it has read everything
		if ends {
			_ = conn.(*net.TCPConn).CloseWrite()
		}
	}()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body) // only the status matters
	return res.StatusCode, string(raw), nil
}
