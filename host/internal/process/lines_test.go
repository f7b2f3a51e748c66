package process

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func linesOf(text string) []string {
	var got []string
	eachLine(strings.NewReader(text), func(line []byte) { got = append(got, string(line)) })
	return got
}

func TestEachLine(t *testing.T) {
	full := strings.Repeat("x", maxLine)
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"nothing":        {"", nil},
		"plain":          {"a\nb\r\n\nc", []string{"a", "b", "c"}},
		"just fits":      {full[1:] + "\nb\n", []string{full[1:], "b"}},
		"one too many":   {full + "y\nb\n", []string{full + "…(1 bytes cut)", "b"}},
		"a mebibyte":     {strings.Repeat(full, 16) + "\nb\n", []string{full + "…(983040 bytes cut)", "b"}},
		"long to an end": {full + "yy", []string{full + "…(2 bytes cut)"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, linesOf(c.in)); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func FuzzEachLine(f *testing.F) {
	f.Add("a\nb\r\n\nc", 1)
	f.Add("tail", maxLine)
	f.Fuzz(func(t *testing.T, text string, pad int) {
		if pad < 0 || pad > 2*maxLine {
			t.Skip()
		}
		for _, line := range linesOf(strings.Repeat("x", pad) + text) {
			if len(line) > maxLine+40 {
				t.Fatalf("a line of %d bytes", len(line))
			}
			if strings.Contains(line, "\n") || line == "" {
				t.Fatalf("not a line: %q", line)
			}
		}
	})
}

func TestTailIsBounded(t *testing.T) {
	var many tail
	for range 1000 {
		many.add("line")
	}
	if n := len(many.copy()); n != tailLines {
		t.Errorf("%d lines kept, want %d", n, tailLines)
	}
	var long tail
	for range 100 {
		long.add(strings.Repeat("x", maxLine))
	}
	if n := len(long.copy()); n != tailBytes/maxLine {
		t.Errorf("%d lines of %d bytes kept", n, maxLine)
	}
	long.add("last")
	if long.last() != "last" {
		t.Errorf("last is %q", long.last())
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// logs is a log in which a test can wait for a text.
type logs struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newLogs() *logs { return &logs{changed: make(chan struct{})} }

func (l *logs) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// An unrequested end of a process is logged as an error, with its exit status.
func TestTheEndIsToldWithItsStatus(t *testing.T) {
	n := started(t, "good")
	_, _ = n.tell("exit") // it cannot answer
	n.logs.await(t, `level=ERROR msg="node ended"`)
	n.logs.await(t, `exit="exit status 4" ran=`)
	n.logs.await(t, `msg="node starts again"`)
}

// await waits for a text in the log.
func (l *logs) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(testTimeout)
	for {
		l.mu.Lock()
		found, changed := strings.Contains(l.text.String(), text), l.changed
		l.mu.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%q is not in the log:\n%.5000s", text, l)
		}
	}
}
