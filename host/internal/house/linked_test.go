package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLinked runs a test with .ci/linked: its binary is linked once, and again after a change.
func TestLinked(t *testing.T) {
	t.Parallel()
	linked, err := filepath.Abs(filepath.Join(root, ".ci", "linked"))
	if err != nil {
		t.Fatal(err)
	}
	dir, keeps := t.TempDir(), t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept := func() []string {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(keeps, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	run := func(keeps string) string {
		cmd := exec.CommandContext(t.Context(), "go", "test", "-toolexec", "'"+linked+"'", "-count=1", "-v", ".")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=", "TAPNODE_LINKED="+keeps)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return string(out)
	}
	write("go.mod", "module example.test/linked\n")
	test := func(says string) {
		write("a_test.go", "package a\nimport \"testing\"\nfunc TestA(t *testing.T) { t.Log(\""+says+"\") }\n")
	}

	test("the first")
	if out := run(keeps); !strings.Contains(out, "the first") || len(kept()) != 1 {
		t.Fatalf("%d are kept of one:\n%s", len(kept()), out)
	}
	first := kept()[0]
	binary, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	// Patch the cached binary, keeping its length, to show that the cached binary is the one that runs.
	if err := os.WriteFile(first, []byte(strings.ReplaceAll(string(binary), "the first", "as linked")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(keeps); !strings.Contains(out, "as linked") {
		t.Errorf("it was linked again:\n%s", out)
	}
	test("the second")
	if out := run(keeps); !strings.Contains(out, "the second") || len(kept()) != 2 {
		t.Errorf("%d are kept of two:\n%s", len(kept()), out)
	}
	for _, file := range kept() { // as a power cut may leave them
		if err := os.Truncate(file, 0); err != nil {
			t.Fatal(err)
		}
	}
	if out := run(keeps); !strings.Contains(out, "the second") {
		t.Errorf("an empty file was taken:\n%s", out)
	}
	if out := run(filepath.Join(dir, "nowhere")); !strings.Contains(out, "the second") {
		t.Errorf("where nothing can be kept:\n%s", out)
	}
}
