package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// served is a running "tapnode serve --simulate" with its example flows.
type served struct {
	url, token string
	lines      *bufio.Scanner
	said       *said // its log
}

// said stores what is written to stderr.
type said struct {
	mu  sync.Mutex
	all strings.Builder
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// serveSimulated starts it on a free port, with the example menu. At its end the test stops it as
// Ctrl-C does.
func serveSimulated(t *testing.T, args ...string) *served {
	t.Helper()
	s := serveWith(t, append([]string{"--simulate", "--listen", "127.0.0.1:0", "../../../examples/flows/menu.yaml"}, args...)...)
	s.token = s.until(t, `account token, shown only now: (\S+)`)
	return s
}

// drain reads the rest of the output.
func (s *served) drain() {
	for s.lines.Scan() {
	}
}

// serveWith starts tapnode serve until the end of the test.
func serveWith(t *testing.T, args ...string) *served {
	t.Helper()
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := &served{lines: bufio.NewScanner(out), said: &said{}}
	go func() {
		err := serve(ctx, console{out: in, err: io.MultiWriter(s.said, t.Output())}, args)
		_ = in.CloseWithError(io.EOF)
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		go func() { _, _ = io.Copy(io.Discard, out) }()
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("serve ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("serve does not stop")
		}
	})
	s.url = s.until(t, `tapnode serves at (http://\S+)`)
	return s
}

// until reads lines until one matches, and returns its first group.
func (s *served) until(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for s.lines.Scan() {
		if m := re.FindStringSubmatch(s.lines.Text()); m != nil {
			return m[len(m)-1]
		}
	}
	t.Fatalf("the output ended before a line matched %s", pattern)
	return ""
}

// do makes a request with the account token and returns status and body.
func (s *served) do(t *testing.T, method, path, body string, header ...string) (int, string) {
	t.Helper()
	status, _, text := s.asked(t, method, path, body, header...)
	return status, text
}

// asked is do that also returns the header of the answer. As a good client, it waits when the host
// limits its rate, because tests that wait for a state ask often.
func (s *served) asked(t *testing.T, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		status, answered, text := s.askedOnce(t, method, path, body, header...)
		if status != http.StatusTooManyRequests || time.Now().After(end) {
			return status, answered, text
		}
		seconds, err := strconv.Atoi(answered.Get("Retry-After"))
		if err != nil {
			t.Fatalf("429 without a Retry-After in seconds: %v", err)
		}
		time.Sleep(time.Duration(seconds) * time.Second)
	}
}

func (s *served) askedOnce(t *testing.T, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("token", s.token)
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
	return res.StatusCode, res.Header, strings.TrimSpace(string(raw))
}

// TestServe runs what serve prints: taps by HTTP, looks at the phone, starts a run.
func TestServe(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	click := s.until(t, `curl -X POST http://[^/]+(/sim/v1/phones/\d+/click)`)
	inbox := s.until(t, `curl http://[^/]+(/sim/v1/phones/\d+/inbox)`)
	s.until(t, `wait.armed +ask`)
	if status, body := s.do(t, "POST", click+"?wait=10s", `{"buttonId":"billing"}`); status != 200 && status != 201 {
		t.Fatalf("click: %d %s", status, body)
	}
	s.until(t, `button "billing" tapped`)
	s.until(t, `menu +r[a-z0-9]{26} +run.finished +succeeded`)
	deadline(t, func() bool { // the server has accepted the answer; the phone shows it a little later
		status, body := s.do(t, "GET", inbox, "")
		return status == 200 && strings.Contains(body, "how can we help?") && strings.Contains(body, "You tapped Billing")
	})
	status, body := s.do(t, "POST", "/v1/flows/menu/runs", `{"vars":{"name":"Ana"}}`)
	var started struct{ Run string }
	if err := json.Unmarshal([]byte(body), &started); status != 201 || err != nil || started.Run == "" {
		t.Fatalf("start: %d %s", status, body)
	}
	s.until(t, `wait.armed +ask`)
	if status, body := s.do(t, "POST", "/v1/flows/menu/runs", `{"vars":{"name":1}}`); status != 422 || !strings.Contains(body, "name") {
		t.Errorf("wrong variable: %d %s", status, body)
	}
	if status, _ := s.do(t, "POST", "/v1/flows/nothing/runs", ``); status != 404 {
		t.Errorf("unknown flow: %d", status)
	}
	if status, body := s.do(t, "GET", "/readyz", ""); status != 200 {
		t.Errorf("readyz: %d %s", status, body)
	}
	if _, body := s.do(t, "GET", "/sim/v1/", ""); strings.Count(body, s.url+"/sim/v1/") < 10 {
		t.Errorf("the simulator's commands do not show the address that was asked, %s:\n%s", s.url, body)
	}
}

// TestServeLog: messages that a flow logs are in the log of serve, with flow and run, and in the
// steps; and a simulation has the instances and people that flows and flags name.
func TestServeLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "note.yaml")
	if err := os.WriteFile(path, []byte(`
apiVersion: flow/v1
kind: Flow
metadata: {id: note, name: Note}
triggers:
  - {id: start, type: manual, to: note}
  - {id: words, type: whatsapp.messageReceived@1, with: {instances: [berlin]}, to: note}
nodes:
  - {id: note, type: log@1, with: {message: "one\ntwo", level: warn, data: {n: 1}}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveSimulated(t, path, "--instance", "paris", "--phone", "+55 11 99999-0042")
	s.until(t, `instances: demo \(\d+\), berlin \(\d+\), paris \(\d+\)$`)
	s.until(t, `people: 5511999990001, 5511999990042$`)
	write := s.until(t, `curl -X POST http://[^/]+(/sim/v1/phones/\d+/text)`)
	if status, body := s.do(t, "POST", "/v1/flows/note/runs", ""); status != 201 {
		t.Fatalf("start: %d %s", status, body)
	}
	s.until(t, `note +r[a-z0-9]{26} +node.started +note +log@1 warn: "one\\ntwo" \{"n":1\}`)
	logged := regexp.MustCompile(`level=WARN msg="one\\ntwo" data.n=1 flow=note run=r[a-z0-9]{26} node=note`)
	deadline(t, func() bool { return logged.MatchString(s.said.String()) })
	if status, body := s.do(t, "POST", write, `{"to":"5511300000001","text":"hi"}`); status != 200 { // berlin's number
		t.Fatalf("write: %d %s", status, body)
	}
	s.until(t, `note +e[a-z0-9]{26} +run.finished`)
}

// patience bounds a wait for something that takes its own time. It is long enough for a machine
// with ten times its load, since it only ends what hangs.
const patience = 2 * time.Minute

// deadline waits until the condition holds. It checks less often the longer it takes, since a token
// has a hundred calls a minute.
func deadline(t *testing.T, holds func() bool) {
	t.Helper()
	for begun := time.Now(); ; {
		if holds() {
			return
		}
		waited := time.Since(begun)
		if waited > patience {
			t.Fatalf("it did not come true in %v", patience)
		}
		time.Sleep(min(max(waited/5, 50*time.Millisecond), 2*time.Second))
	}
}
