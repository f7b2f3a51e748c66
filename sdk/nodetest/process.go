package nodetest

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// exitLimit is what the contract gives a process that lost its host: a second,
// and as much again for a busy machine.
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

func (s *suite) processSignals(t *testing.T) {
	l, p := s.openProcess(t)
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	s.work(t, l) // it took the signal before, and still works
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
	for _, input := range hostile {
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
