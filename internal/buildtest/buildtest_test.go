package buildtest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bin", "hours")
	if err := Program(t.Context(), "examples/nodes/hours", file); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "version", "-m", file).CombinedOutput(); err != nil || !strings.Contains(string(out), "CGO_ENABLED=0") {
		t.Errorf("%v\n%s", err, out)
	}
	if err := Program(t.Context(), "nothing", file); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("a program that is not there: %v", err)
	}
}
