package cli

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestToolsJavaScript: both JavaScript clients of the protocol work, the one of most assistants and
// the newer one.
func TestToolsJavaScript(t *testing.T) {
	t.Parallel()
	for _, needed := range [][]string{{"node", "--version"}, {"npm", "ping", "--fetch-retries=0"}} { // as .ci/setup asks
		if out, err := exec.CommandContext(t.Context(), needed[0], needed[1:]...).CombinedOutput(); err != nil {
			t.Skipf("the clients in JavaScript need %s: %v\n%s", strings.Join(needed, " "), err, out)
		}
	}
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	dir := t.TempDir() // npm writes into the program's directory
	if err := os.CopyFS(dir, os.DirFS("testdata/mcp")); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"npm", "ci", "--prefer-offline", "--no-audit", "--no-fund"}, {"node", "client.js", s.url, s.token}} {
		cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command[1], err, out)
		}
	}
}
