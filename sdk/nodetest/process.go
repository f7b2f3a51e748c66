package nodetest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// exitLimit is the time the contract gives a process that lost its host, a second, doubled for a
// busy machine.
const exitLimit = 2 * time.Second

func (s *suite) openProcess(t *testing.T) (*live, *process) {
	t.Helper()
	if s.Binary == "" {
		t.Skip("needs a binary")
	}
	l := s.open(t)
	return l, l.process
}

func (p *process) wantExit(t *testing.T, limit time.Duration) {
	t.Helper()
	select {
	case <-p.exited:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("exit code %d, want 0; stderr:\n%s", code, p.stderr)
		}
	case <-time.After(limit):
		t.Errorf("the process still lives after %v", limit)
	}
}

// work calls every sample once.
func (s *suite) work(t *testing.T, l *live) {
	t.Helper()
	for _, sample := range s.Samples {
		if _, err := l.Execute(bounded(t), request(sample, "work-"+sample.Operation), nil); err != nil {
			t.Logf("%s: %v", sample.Operation, err)
		}
	}
}

func (s *suite) processStdout(t *testing.T) {
	l, p := s.openProcess(t)
	s.work(t, l)
	p.kill()
	if out := p.stdout.String(); out != "" {
		t.Errorf("stdout goes on after the handshake: %q", out)
	}
}

func (s *suite) processStdin(t *testing.T) {
	_, p := s.openProcess(t)
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	p.wantExit(t, exitLimit)
}

// processParent starts the node as the child of a shell, with a stdin that carries nothing, and
// kills the shell: the node must end, too.
func (s *suite) processParent(t *testing.T) {
	if s.Binary == "" {
		t.Skip("needs a binary")
	}
	shell := exec.CommandContext(bounded(t), "/bin/sh", append([]string{"-c", `"$0" "$@" </dev/null 3>&- & echo $! >&3; wait`, s.Binary}, s.Args...)...)
	shell.Env = append([]string{
		sdk.HandshakeCookieKey + "=" + sdk.HandshakeCookieValue, "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR=" + socketDir(t),
	}, s.Env...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	pids, pidEnd, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pids.Close()
	shell.Stdout, shell.ExtraFiles = w, []*os.File{pidEnd}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = w.Close(), pidEnd.Close()
	_, _ = r.SetReadDeadline(time.Now().Add(waitLimit)), pids.SetReadDeadline(time.Now().Add(waitLimit))
	var pid int
	if _, err := fmt.Fscan(pids, &pid); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	_ = shell.Process.Kill()
	_ = shell.Wait() // killed
	fields := strings.Split(line, "|")
	if err != nil || len(fields) < 5 {
		t.Fatalf("%s: the handshake line is %q (%v)", s.name(), line, err)
	}
	for end := time.Now().Add(exitLimit); ; time.Sleep(10 * time.Millisecond) {
		conn, err := new(net.Dialer).DialContext(bounded(t), "unix", fields[3])
		if err != nil {
			return // the node no longer listens there
		}
		_ = conn.Close()
		if time.Now().After(end) {
			if node, err := os.FindProcess(pid); err == nil {
				_ = node.Kill() // otherwise it would stay for ever
			}
			t.Fatalf("%s outlives its parent by %v", s.name(), exitLimit)
		}
	}
}

func (s *suite) processSignals(t *testing.T) {
	l, p := s.openProcess(t)
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	s.work(t, l) // it received the signal before this, and must still work
	if _, err := l.Describe(bounded(t)); err != nil {
		t.Errorf("after SIGINT: %v", err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.wantExit(t, waitLimit)
}

func (s *suite) processLog(t *testing.T) {
	l, p := s.openProcess(t)
	s.work(t, l)
	for _, input := range hostile() {
		for _, sample := range s.Samples {
			_, _ = l.Execute(bounded(t), request(Sample{sample.Operation, input.Bytes}, "log"), nil) // only its log matters
		}
	}
	if err := l.Close(bounded(t)); err != nil {
		t.Error(err)
	}
	if err := p.stdin.Close(); err != nil {
		t.Error(err)
	}
	p.wantExit(t, exitLimit)
	log := p.stderr.String()
	lines := bufio.NewScanner(strings.NewReader(log))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var entry struct {
			Message *string `json:"@message"`
			Level   string  `json:"@level"`
		}
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil || entry.Message == nil || entry.Level == "" {
			t.Errorf("not a log line a host can read: %s", lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
	for pointer, secret := range s.Secrets {
		if len(secret) > 0 && strings.Contains(log, string(secret)) {
			t.Errorf("the log has the secret %s", pointer)
		}
	}
}
