package cli

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// TestRunsPage runs every command of the blocks of docs/runs.md beside a host, except those that
// need a dead letter.
func TestRunsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/runs.md")
	if err != nil {
		t.Fatal(err)
	}
	menu, err := os.ReadFile("../../../examples/flows/menu.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b := beside{t, filepath.Join(shortDir(t), "data")}
	s := serveSimulated(t, "--data", b.data)
	s.until(t, `wait.armed +ask`)
	go s.drain()
	b.says("flows publish "+write(t, strings.ReplaceAll(string(menu), "Support menu", "Another menu")), "version 2")
	var all struct{ Runs []engine.Found }
	b.json(&all, "runs", "list")
	ran := 0
	for lines := bufio.NewScanner(bytes.NewReader(page)); lines.Scan(); {
		line, ok := strings.CutPrefix(lines.Text(), "tapnode ")
		if !ok || strings.Contains(line, " ID") {
			continue
		}
		line, _, _ = strings.Cut(line, " > ")
		var args []string
		for i, part := range strings.Split(line, `"`) { // a quoted text is one argument
			if i%2 == 1 {
				args = append(args, part)
				continue
			}
			args = append(args, strings.Fields(strings.NewReplacer("menu.yaml", "../../../examples/flows/menu.yaml", "RUN", all.Runs[0].Run).Replace(part))...)
		}
		if out, _ := b.do(exitOK, args...); out == "" {
			t.Errorf("tapnode %s prints nothing", line)
		}
		ran++
	}
	if ran < 12 {
		t.Errorf("found only %d commands on the page", ran)
	}
}
