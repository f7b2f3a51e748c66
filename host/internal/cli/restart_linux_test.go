package cli

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// node returns the only node of GET /v1/nodes.
func (s *served) node(t *testing.T) (node struct {
	Name, State, Reason string
	PID                 int
}) {
	t.Helper()
	status, body := s.do(t, "GET", "/v1/nodes", "")
	var all struct{ Nodes []json.RawMessage }
	if err := json.Unmarshal([]byte(body), &all); status != 200 || err != nil || len(all.Nodes) != 1 {
		t.Fatalf("%d %s", status, body)
	}
	if err := json.Unmarshal(all.Nodes[0], &node); err != nil {
		t.Fatal(err)
	}
	return node
}

// readyz returns a condition: GET /readyz answers with a status and contains some words.
func (s *served) readyz(t *testing.T, want int, words string) func() bool {
	return func() bool {
		status, body := s.do(t, "GET", "/readyz", "")
		return status == want && strings.Contains(body, words)
	}
}

// held holds SQLite's write lock of a file until release is called.
func held(t *testing.T, dir, file string) (release func()) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Options{Dir: dir, File: file})
	if err != nil {
		t.Fatal(err)
	}
	let, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- db.Write(t.Context(), "hold the lock", func(*sqldb.Tx) error { <-let; return nil })
	}()
	return func() {
		close(let)
		if err := errors.Join(<-done, db.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestReadyWithoutDatabase: a host that cannot write its database is not ready, says why, and is
// ready again when it can. Without the node's database it is ready, and names the node.
func TestReadyWithoutDatabase(t *testing.T) {
	t.Parallel()
	data := shortDir(t)
	s := serveSimulated(t, "--data", data)
	go func() { // the rest of the steps
		for s.lines.Scan() {
		}
	}()
	deadline(t, s.readyz(t, 200, `"ready":true`))
	release := held(t, filepath.Join(data, "nodes/whatsapp-send-buttons/store"), "tapnode.db")
	deadline(t, s.readyz(t, 200, "the node's database cannot be used"))
	release()
	deadline(t, func() bool {
		_, body := s.do(t, "GET", "/readyz", "")
		return strings.Contains(body, `{"name":"demo","state":"healthy","reason":"connected"}`)
	})
	release = held(t, data, "engine.db")
	deadline(t, s.readyz(t, 503, "the database of the runs cannot be used: "))
	if status, body := s.do(t, "GET", "/healthz", ""); status != 200 {
		t.Errorf("healthz: %d %s", status, body)
	}
	release()
	deadline(t, s.readyz(t, 200, `"ready":true`))
}

// TestNodeStates: a stopped node is named, and is ready again when it continues. A node that keeps
// crashing is quarantined; the host names the way out, which works. The host serves meanwhile.
func TestNodeStates(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed`)
	go func() { // the rest of the steps
		for s.lines.Scan() {
		}
	}()
	first := s.node(t)
	if first.State != "degraded" || first.PID == 0 { // it reports that it is simulated
		t.Fatalf("%+v", first)
	}
	if err := syscall.Kill(first.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	readyz := func(want int, words string) func() bool { return s.readyz(t, want, words) }
	deadline(t, readyz(200, `"name":"whatsapp-send-buttons","state":"unresponsive"`))
	if err := syscall.Kill(first.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	deadline(t, readyz(200, `"state":"degraded"`))
	if n := s.node(t); n.PID != first.PID {
		t.Errorf("it went on as another process: %+v", n)
	}

	deadline(t, func() bool {
		if pid := s.node(t).PID; pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
		time.Sleep(250 * time.Millisecond) // a token is limited to a hundred calls a minute
		return readyz(200, "tapnode nodes restart whatsapp-send-buttons")()
	})
	if n := s.node(t); n.State != "quarantined" || n.PID != 0 {
		t.Errorf("after many crashes: %+v", n)
	}
	if status, body := s.do(t, "GET", "/v1/nodes/whatsapp-send-buttons", ""); status != 200 || !strings.Contains(body, `"exit":"signal: killed"`) {
		t.Errorf("how it crashed: %d %s", status, body)
	}
	if status, _ := s.do(t, "GET", "/v1/nodes/none", ""); status != 404 {
		t.Errorf("no such node: %d", status)
	}

	restart := func(token, node, server string) (code int, out, errs string) {
		return tapnodeIn(t, []string{tokenEnv + "=" + token}, "nodes", "restart", node, "--server", server)
	}
	if code, out, errs := restart(s.token, "whatsapp-send-buttons", s.url); code != exitOK || !strings.Contains(out, "is ") {
		t.Fatalf("restart: %d %s %s", code, out, errs)
	}
	if n := s.node(t); n.State == "quarantined" || n.PID == 0 || n.PID == first.PID {
		t.Errorf("after the restart: %+v", n)
	}
	for _, c := range []struct{ name, token, node, server, says string }{
		{"none", s.token, "whatsapp", s.url, "no such node"},
		{"with a wrong token", "tap_wrong", "whatsapp-send-buttons", s.url, "401"},
		{"without a token", "", "whatsapp-send-buttons", s.url, tokenEnv},
		{"no URL", s.token, "x", "127.0.0.1:1", "is not a URL"},
	} {
		if code, _, errs := restart(c.token, c.node, c.server); code != exitInvalid || !strings.Contains(errs, c.says) {
			t.Errorf("%s: %d %s", c.name, code, errs)
		}
	}
}
