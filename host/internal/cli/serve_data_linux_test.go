package cli

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// interrupt stops a running command as Ctrl-C does and waits for its end.
func (r *running) interrupt(t *testing.T) {
	t.Helper()
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v\n%s", err, &r.err)
	}
}

// TestServeKeepsItsData: a data directory has one host. After a host was killed, the next one can
// use its directory, and says how to get a token if there are some already.
func TestServeKeepsItsData(t *testing.T) {
	t.Parallel()
	data := filepath.Join(shortDir(t), "data")
	args := []string{"serve", "--simulate", "--listen", "127.0.0.1:0", "--data", data, simulated}
	first := startProcess(t, args...)
	first.until(t, "account token, shown only now")
	first.until(t, "wait.armed")

	var out, errs bytes.Buffer
	if code := Main(args, &out, &errs); code != exitEnvironment || !strings.Contains(errs.String(), "another tapnode, process ") || !strings.Contains(errs.String(), data) {
		t.Errorf("serve beside it: exit code %d\n%s", code, &errs)
	}
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.cmd.Wait() // killed

	next := startProcess(t, args...)
	next.until(t, "tokens for the HTTP API: 1; another one, while this runs: tapnode tokens create --data "+data)
	next.until(t, `-H "token: $TOKEN"`)
	next.interrupt(t)
}

// TestServeLearnsTokens creates a token while serve runs. Only the API is served, with the settings
// of a real server that has no instance.
func TestServeLearnsTokens(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	settings := filepath.Join(dir, "settings.json")
	if err := os.WriteFile(settings, []byte(`{"whatsapp-send-buttons":{"device":{"refreshVersion":false}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	r := startProcess(t, "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--settings", settings)
	s := &served{url: r.until(t, "tapnode serves at ")}
	r.until(t, "flows: none")
	r.until(t, "tokens for the HTTP API: 0; another one")
	const send = "/api/message/button/shop"
	if status, body := s.do(t, http.MethodPost, send, "{}"); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d %s", status, body)
	}
	var out, errs bytes.Buffer
	if code := Main([]string{"tokens", "create", "--data", filepath.Join(dir, "data")}, &out, &errs); code != exitOK {
		t.Fatalf("token: %d %s", code, &errs)
	}
	s.token = strings.TrimSpace(out.String())
	if status, body := s.do(t, http.MethodPost, send, `{"number":"5511999990001"}`); status != http.StatusBadRequest || !strings.Contains(body, "ContentText is required") {
		t.Errorf("with the new token: %d %s", status, body)
	}
	if status, body := s.do(t, http.MethodGet, "/sim/v1/", ""); status != http.StatusNotFound {
		t.Errorf("a control API without a simulation: %d %s", status, body)
	}
	r.interrupt(t)
}

// TestAddressTaken: another program uses the port of make run.
func TestAddressTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var out, errs bytes.Buffer
	code := Main([]string{"serve", "--simulate", "--listen", l.Addr().String(), simulated}, &out, &errs)
	if want := syscall.EADDRINUSE.Error() + "; choose another address with --listen"; code != exitEnvironment || !strings.Contains(errs.String(), want) || strings.Count(errs.String(), "\n") != 2 {
		t.Errorf("exit code %d\n%s", code, &errs)
	}
}
