package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestHTTPPage types the sessions of docs/http.md into a shell beside a real host. For … stands
// anything.
func TestHTTPPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	s := serveSimulated(t, "--data", filepath.Join(shortDir(t), "data"))
	s.until(t, `wait.armed +ask`)
	go s.drain()
	x := openTerminal(t, t.TempDir())
	x.enter(t, "export TOKEN="+s.token)
	ran := 0
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
	if ran < 10 {
		t.Errorf("found only %d commands on the page", ran)
	}
}
