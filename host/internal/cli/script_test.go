package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/tapnode/tapnode/internal/buildtest"
)

// nodesDir holds the real node binary and its nodes.lock, built once.
var nodesDir string

// Nearly all tests here wait more than they compute, and run in parallel. So none changes the
// environment of this process: withNodes sets it for all commands, and a test that needs another
// one passes it to a process of its own.

func TestMain(m *testing.M) {
	testscript.Main(withNodes{m}, map[string]func(){
		"tapnode": func() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// withNodes builds the node before the tests. When this binary runs as one of the scripts'
// commands, it does not get here.
type withNodes struct{ m *testing.M }

func (w withNodes) Run() int {
	code, err := w.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

func (w withNodes) run() (int, error) {
	var err error
	if nodesDir, err = os.MkdirTemp("", "tapnode-nodes-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(nodesDir)
	sockets, err := os.MkdirTemp("", "tr") // below a test's own directory their paths could be too long
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(sockets)
	if err := buildtest.Program(context.Background(), "plugin", filepath.Join(nodesDir, "whatsapp-send-buttons")); err != nil {
		return 1, err
	}
	if code := Main([]string{"nodes", "lock", "--nodes", nodesDir}, os.Stdout, os.Stderr); code != 0 {
		return code, nil
	}
	if err := errors.Join(os.Setenv("TAPNODE_NODES", nodesDir), os.Setenv("RUNTIME_DIRECTORY", sockets)); err != nil {
		return 1, err
	}
	code := w.m.Run()
	http.DefaultClient.CloseIdleConnections()
	// Ignored: whatsmeow's readers of closed connections, which end a little later.
	return code, goleak.Find(goleak.IgnoreAnyFunction("go.mau.fi/whatsmeow/socket.(*FrameSocket).frameComplete"))
}

// process returns the command tapnode, which this test binary becomes under that name, as a process
// of its own with additions to its environment. It is not started.
func process(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Args[0], cmd.Env = "tapnode", append(os.Environ(), env...)
	return cmd
}

// tapnodeIn runs a command to its end with additions to its environment.
func tapnodeIn(t *testing.T, env []string, args ...string) (code int, out, errs string) {
	t.Helper()
	cmd := process(t, env, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

// TestScripts runs each terminal session in testdata/script against the real node
// binary and the simulated WhatsApp.
func TestScripts(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Abs("../../../examples/flows")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TAPNODE_NODES", nodesDir)
			env.Setenv("FLOWS", examples)
			env.Setenv("RUNTIME_DIRECTORY", os.Getenv("RUNTIME_DIRECTORY"))
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			return nil
		},
	})
}
