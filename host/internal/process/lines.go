package process

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"sync"
)

// maxLine is how much is kept of a line of a node's stderr; flownode.v1 sets the limit.
const maxLine = 64 << 10

// eachLine calls f with every line of r that is not empty, until r ends. A line is cut at
// maxLine, with a mark that says how much is missing. No line, however long, stops the reading.
func eachLine(r io.Reader, f func(line []byte)) {
	in := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		if err == bufio.ErrBufferFull { //nolint:errorlint // bufio documents the bare value
			kept := bytes.Clone(line)
			f(fmt.Appendf(kept, "…(%d bytes cut)", skipLine(in)))
			continue
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			f(line)
		}
		if err != nil {
			return
		}
	}
}

// skipLine discards the rest of the line and returns its length in bytes.
func skipLine(in *bufio.Reader) (cut int) {
	for {
		rest, err := in.ReadSlice('\n')
		cut += len(bytes.TrimRight(rest, "\r\n"))
		if err != bufio.ErrBufferFull { //nolint:errorlint // bufio documents the bare value
			return cut
		}
	}
}

const (
	tailLines = 200
	tailBytes = 256 << 10
)

// tail keeps the last lines that a node wrote to stderr: at most tailLines lines, and
// at most tailBytes in all, so that a report with long lines stays small.
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
