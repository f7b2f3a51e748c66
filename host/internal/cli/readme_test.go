package cli

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestReadme runs every command of the console blocks of README and docs/flows.md. TestServe covers
// make run: here only its recipe is compared.
func TestReadme(t *testing.T) {
	t.Parallel()
	const root = "../../.."
	src, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	flows, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	commands := append(consoleCommands(src), consoleCommands(flows)...)
	if len(commands) < 5 {
		t.Fatalf("found only %d commands in the README", len(commands))
	}
	makefile, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range commands {
		t.Run(line, func(t *testing.T) {
			if line != "make build" { // the others need what it builds, and start when it is done
				t.Parallel()
			}
			if line == "make run" {
				if !bytes.Contains(makefile, []byte("run: build ##")) || !bytes.Contains(makefile, []byte("\tbin/tapnode serve --simulate\n")) {
					t.Error("make run is not build and serve --simulate any more")
				}
				return
			}
			cmd := exec.CommandContext(t.Context(), "bash", "-c", line)
			cmd.Dir = root
			cmd.Env = append(os.Environ(), "TAPNODE_NODES=") // those of make build
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if strings.Contains(line, "--click billing") && !bytes.Contains(out, []byte("goes on at reply:billing")) {
				t.Errorf("the session in the README looks different now:\n%s", out)
			}
		})
	}
}

// consoleCommands returns the lines after "$ " in ```console blocks.
func consoleCommands(src []byte) []string {
	var out []string
	inside := false
	for lines := bufio.NewScanner(bytes.NewReader(src)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "```") {
			inside = line == "```console"
		} else if command, ok := strings.CutPrefix(line, "$ "); ok && inside {
			out = append(out, command)
		}
	}
	return out
}
