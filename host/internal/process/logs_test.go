package process

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// logs is a log that can be waited on.
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

// An end that nobody asked for is told at the level that is always on, with how it ended.
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
