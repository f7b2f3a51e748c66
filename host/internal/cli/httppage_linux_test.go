package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestHTTPPage types the sessions of docs/http.md into a shell beside a real host. … matches
// anything.
func TestHTTPPage(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t, "--data", filepath.Join(shortDir(t), "data"))
	s.until(t, `wait.armed +ask`)
	go s.drain()
	if ran := s.sessions(t, "../../../docs/http.md", t.TempDir()); ran < 10 {
		t.Errorf("found only %d commands on the page", ran)
	}
}

// TestEventsPage does the same with docs/events.md, whose commands address the host by URL.
func TestEventsPage(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	dir := demoDir(t)
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(s.token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	setup := "export TAPNODE_URL=" + s.url + " TAPNODE_TOKEN_FILE=" + dir + "/token PATH=" + dir + "/bin:$PATH"
	if ran := s.sessions(t, "../../../docs/events.md", dir, setup); ran < 6 {
		t.Errorf("found only %d commands on the page", ran)
	}
}

// sessions runs some commands in a shell, then types the sessions of a page into it, and counts
// what was typed.
func (s *served) sessions(t *testing.T, file, dir string, first ...string) (ran int) {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	x := openTerminal(t, dir)
	for _, command := range append(first, "export TOKEN="+s.token) {
		x.enter(t, command)
	}
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		for line := range strings.Lines(strings.ReplaceAll(block[1], "http://127.0.0.1:8080", s.url)) {
			line = strings.TrimSuffix(line, "\n")
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				x.enter(t, command)
				ran++
				continue
			}
			x.shows(t, line)
		}
	}
	x.ended(t)
	return ran
}
