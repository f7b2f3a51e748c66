package process

import "sync"

const (
	tailLines = 200
	tailBytes = 256 << 10
)

// tail keeps the last lines a node wrote to stderr: at most tailLines of them and
// at most tailBytes in all, so that a report of long lines stays small.
type tail struct {
	mu    sync.Mutex
	lines []string
	bytes int
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	t.bytes += len(line)
	for len(t.lines) > tailLines || t.bytes > tailBytes && len(t.lines) > 1 {
		t.bytes -= len(t.lines[0])
		t.lines[0] = "" // the backing array must not keep it alive
		t.lines = t.lines[1:]
	}
}

func (t *tail) copy() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.lines...)
}

// last is the newest line, or "".
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 0 {
		return ""
	}
	return t.lines[len(t.lines)-1]
}
