package web

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tapnode/tapnode/internal/buildtest"
)

// TestBrowser runs test/*.test.mjs: the page in a real Chromium, served by the real binary with the
// simulated WhatsApp. It uses the headless shell of Chromium, which costs a quarter less because it
// draws no window. The test is skipped where there is no Chromium or Node, or where npm ci has not run.
func TestBrowser(t *testing.T) {
	chromium := os.Getenv("CHROMIUM")
	if chromium == "" {
		chromium = "/usr/bin/chromium-headless-shell"
	}
	for what, missing := range map[string]bool{
		"Chromium at " + chromium:    !exists(chromium),
		"npm ci in host/web":         !exists("node_modules/playwright-core"),
		"Node on the path (node 20)": !onPath("node"),
	} {
		if missing {
			t.Skip("left out: there is no " + what)
		}
	}
	tests, err := filepath.Glob("test/*.test.mjs")
	if err != nil || len(tests) == 0 {
		t.Fatal("there are no browser tests", err)
	}
	dir := t.TempDir()
	for file, source := range map[string]string{
		"tapnode":                     "host",
		"nodes/whatsapp-send-buttons": "plugin",
		"nodes/hours":                 "examples/nodes/hours", // a third party's node, which the page does not know
	} {
		if err := buildtest.Program(t.Context(), source, filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	run(t, time.Minute, nil, filepath.Join(dir, "tapnode"), "nodes", "lock")
	args := append([]string{"--test", "--test-concurrency=3", "--test-force-exit", "--test-reporter=spec"}, tests...)
	run(t, 18*time.Minute, []string{"TAPNODE_BIN=" + filepath.Join(dir, "tapnode"), "CHROMIUM=" + chromium}, "node", args...)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func onPath(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

func run(t *testing.T, within time.Duration, env []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}
