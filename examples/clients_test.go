//go:build unix

package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestClients runs the clients that docs/clients.md shows: each sends a menu and hears of the tap by
// webhook and by socket.
func TestClients(t *testing.T) {
	page, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	languages := []struct {
		name                  string
		needs                 [][]string // commands that work where the clients do, as .ci/setup asks
		send, listen, webhook []string
	}{
		{"sh", [][]string{{"curl", "--version"}, {"openssl", "version"}}, []string{"sh", "clients/send.sh"}, []string{"sh", "clients/listen.sh"}, nil},
		{"javascript", [][]string{{"node", "--version"}}, []string{"node", "clients/send.mjs"}, []string{"node", "--experimental-websocket", "clients/listen.mjs"}, []string{"node", "clients/webhook.mjs"}},
		{"python", [][]string{{"python3", "--version"}}, []string{"python3", "clients/send.py"}, []string{"python3", "clients/listen.py"}, []string{"python3", "clients/webhook.py"}},
	}
	numbers := []string{"5511999990001", "5511999990002", "5511999990003"}
	h := serve(t, numbers)
	for i, lang := range languages {
		t.Run(lang.name, func(t *testing.T) {
			for _, needed := range lang.needs {
				if out, err := exec.CommandContext(t.Context(), needed[0], needed[1:]...).CombinedOutput(); err != nil {
					t.Skipf("the clients in %s need %s: %v\n%s", lang.name, needed[0], err, out)
				}
			}
			for _, command := range [][]string{lang.send, lang.listen, lang.webhook} {
				if shown := strings.Join(command, " "); !bytes.Contains(page, []byte(strings.ReplaceAll(shown, "clients/", "examples/clients/"))) {
					t.Errorf("the page does not show %s", shown)
				}
			}
			after := filepath.Join(t.TempDir(), "after")
			socket, told := h.background(t, []string{"AFTER=" + after}, lang.listen...)
			waitFor(t, told, "listening")

			address := freeAddress(t)
			made := h.post(t, "/v1/webhooks", `{"url":"http://`+address+`/","events":["whatsapp.button.clicked.v1"]}`)
			secret, _ := made["secret"].(string)
			taps := h.webhook(t, lang.webhook, address, secret)

			number, key := numbers[i], "order-"+lang.name
			first, second := h.run(t, append(lang.send, number, key)...), h.run(t, append(lang.send, number, key)...)
			if !strings.HasPrefix(first, "3EB0") || first != second {
				t.Errorf("sent %q, and again %q", first, second)
			}
			h.post(t, "/sim/v1/phones/"+number+"/click?wait=10s", `{"buttonId":"support"}`)
			waitFor(t, socket, "support")
			if lang.name == "sh" { // it goes on where the file says
				before := filepath.Join(t.TempDir(), "before")
				if err := os.WriteFile(before, []byte("0\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				again, _ := h.background(t, []string{"AFTER=" + before}, lang.listen...)
				waitFor(t, again, "support")
			}
			waitFor(t, taps, "support")

			req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+address+"/", strings.NewReader(`{"id":"x","type":"whatsapp.button.clicked.v1","data":{"button":{"id":"forged"}}}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("webhook-id", "x")
			req.Header.Set("webhook-timestamp", fmt.Sprint(time.Now().Unix()))
			req.Header.Set("webhook-signature", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != 401 {
				t.Errorf("a forged call gets %d", res.StatusCode)
			}

			bad := exec.CommandContext(t.Context(), lang.send[0], append(lang.send[1:], "12", "order-2")...)
			bad.Env = h.env()
			if out, err := bad.CombinedOutput(); err == nil || !strings.Contains(string(out), "Invalid phone number format") {
				t.Errorf("a number that is none: %v\n%s", err, out)
			}
		})
	}
}

// hosted is a running tapnode serve --simulate.
type hosted struct{ url, token string }

func serve(t *testing.T, phones []string) *hosted {
	t.Helper()
	args := []string{"serve", "--simulate", "--listen", "127.0.0.1:0", "--nodes", filepath.Join(bin, "nodes"), "--instance", "demo"}
	for _, phone := range phones {
		args = append(args, "--phone", phone)
	}
	cmd := exec.Command(filepath.Join(bin, "tapnode"), args...)
	cmd.Dir = t.TempDir() // there are no flows
	cmd.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+short(t))
	cmd.Stderr = t.Output()
	lines := started(t, cmd)
	h := &hosted{}
	for h.url == "" || h.token == "" {
		line := waitFor(t, lines, "tapnode serves at ", "account token, shown only now: ")
		_, url, serves := strings.Cut(line, "tapnode serves at ")
		if serves {
			h.url = url
			continue
		}
		_, h.token, _ = strings.Cut(line, "shown only now: ")
	}
	go drain(lines)
	return h
}

func (h *hosted) env(more ...string) []string {
	return append(append(os.Environ(), "TAPNODE_URL="+h.url, "TAPNODE_TOKEN="+h.token, "INSTANCE=demo"), more...)
}

// post makes a request and reads the answer.
func (h *hosted) post(t *testing.T, path, body string) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", h.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("token", h.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s: %d %v %v", path, res.StatusCode, out, err)
	}
	return out
}

// run runs a program to its end and gives its output.
func (h *hosted) run(t *testing.T, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env, cmd.Stderr = h.env(), t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", command, err)
	}
	return strings.TrimSpace(string(out))
}

// background runs a program until the end of the test and gives the lines that it writes and those that
// it says beside them.
func (h *hosted) background(t *testing.T, env []string, command ...string) (out, said <-chan string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = h.env(env...)
	beside, in := io.Pipe()
	cmd.Stderr = in
	t.Cleanup(func() { in.Close() })
	return started(t, cmd), linesOf(beside)
}

// webhook runs a receiver of webhooks. The one in sh is a CGI program, and the test its web server.
func (h *hosted) webhook(t *testing.T, command []string, address, secret string) <-chan string {
	t.Helper()
	if command != nil {
		_, port, _ := net.SplitHostPort(address)
		taps, said := h.background(t, []string{"WEBHOOK_SECRET=" + secret}, append(command, port)...)
		go drain(said)
		for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
			if err == nil {
				conn.Close()
				return taps
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	program, err := filepath.Abs("clients/webhook.sh")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "taps")
	taps := make(chan string, 10)
	script := &cgi.Handler{Path: program, InheritEnv: []string{"PATH"}, Env: []string{"WEBHOOK_SECRET=" + secret, "TAPS=" + file}, Stderr: t.Output()}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		script.ServeHTTP(w, r)
		if raw, err := os.ReadFile(file); err == nil {
			taps <- string(raw)
		}
	}))
	server.Listener.Close()
	if server.Listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", address); err != nil {
		t.Fatal(err)
	}
	server.Start()
	t.Cleanup(server.Close)
	return taps
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// started starts a program, whose end is the test's, and gives the lines that it writes.
func started(t *testing.T, cmd *exec.Cmd) <-chan string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a script has programs of its own
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait() // it was stopped: how it ended says nothing
	})
	return linesOf(out)
}

func linesOf(r io.Reader) <-chan string {
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return lines
}

func drain(lines <-chan string) {
	for range lines {
	}
}

// waitFor is the next line that has one of the texts in it.
func waitFor(t *testing.T, lines <-chan string, texts ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatalf("it ended and said nothing of %v", texts)
			}
			for _, text := range texts {
				if strings.Contains(line, text) {
					return line
				}
			}
		case <-ctx.Done():
			t.Fatalf("nothing was said of %v", texts)
		}
	}
}
