package cli

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// nodesDir holds the real node binary and its nodes.lock, built once.
var nodesDir string

func TestMain(m *testing.M) {
	testscript.Main(withNodes{m}, map[string]func(){
		"tapnode": func() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// withNodes builds the node before the tests; as one of the scripts' commands this
// binary never gets here.
type withNodes struct{ m *testing.M }

func (w withNodes) Run() int {
	dir, err := os.MkdirTemp("", "tapnode-nodes-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	nodesDir = dir
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-o", filepath.Join(dir, "whatsapp-send-buttons"), "github.com/tapnode/tapnode/plugin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the node:", err)
		return 1
	}
	if code := Main([]string{"nodes", "lock", "--nodes", dir}, os.Stdout, os.Stderr); code != 0 {
		return code
	}
	code := w.m.Run()
	http.DefaultClient.CloseIdleConnections()
	// whatsmeow's readers of closed connections end a little later.
	if err := goleak.Find(goleak.IgnoreAnyFunction("go.mau.fi/whatsmeow/socket.(*FrameSocket).frameComplete")); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// TestScripts runs each terminal session in testdata/script against the real node
// binary and the simulated WhatsApp.
func TestScripts(t *testing.T) {
	examples, err := filepath.Abs("../../../examples/flows")
	if err != nil {
		t.Fatal(err)
	}
	runtimeDir, err := os.MkdirTemp("", "tr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(runtimeDir) })
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TAPNODE_NODES", nodesDir)
			env.Setenv("FLOWS", examples)
			env.Setenv("RUNTIME_DIRECTORY", runtimeDir) // the work directory is too long for a socket's path
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			return nil
		},
	})
}
