package cli

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// program is a tapnode of some version with the node of that version.
type program struct{ exe, nodes string }

// today is the version under test.
func today(t *testing.T) program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program{exe, nodesDir}
}

// earlier builds the version of a commit from this repository.
func earlier(t *testing.T, commit string) program {
	t.Helper()
	dir := shortDir(t)
	source, bin := filepath.Join(dir, "source"), filepath.Join(dir, "bin")
	if err := exec.CommandContext(t.Context(), "git", "cat-file", "-e", commit+"^{commit}").Run(); err != nil {
		t.Skipf("the repository has no commit %s here", commit)
	}
	do := func(in, name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = in, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	p := program{filepath.Join(bin, "tapnode"), filepath.Join(bin, "nodes")}
	if err := errors.Join(os.Mkdir(source, 0o700), os.MkdirAll(p.nodes, 0o700)); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "source.tar")
	do("../../..", "git", "archive", "-o", archive, commit)
	do(source, "tar", "xf", archive)
	do(source, "go", "run", "-ldflags=-s -w", "-exec", "cp", "./host", p.exe) // as in package buildtest
	do(source, "go", "run", "-ldflags=-s -w", "-exec", "cp", "./plugin", filepath.Join(p.nodes, "whatsapp-send-buttons"))
	do(source, p.exe, "nodes", "lock", "--nodes", p.nodes)
	return p
}

// serve starts a host with a flow that asks and waits, and returns when it serves or has ended.
func (p program) serve(t *testing.T, world *wasim.Server, data string, env []string, args ...string) (*served, *exec.Cmd, *said) {
	t.Helper()
	const token = "0123456789abcdef0123456789abcdef"
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	args = append(append([]string{"serve", "--simulator", world.URL(), "--data", data, "--listen", "127.0.0.1:0", "--nodes", p.nodes}, args...),
		"../../../examples/flows/reminder.yaml")
	cmd := exec.CommandContext(ctx, p.exe, args...)
	cmd.Args[0] = "tapnode"
	cmd.Env = append(append(os.Environ(), accountTokenEnv+"="+token), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	errs := &said{}
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &served{token: token, lines: bufio.NewScanner(out), said: errs}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed, if it had not ended
		if t.Failed() {
			t.Logf("%s says:\n%s", filepath.Base(data), errs)
		}
	})
	for s.lines.Scan() {
		if url, ok := strings.CutPrefix(s.lines.Text(), "tapnode serves at "); ok {
			s.url = url
			go s.drain()
			break
		}
	}
	return s, cmd, errs
}
