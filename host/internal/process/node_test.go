package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// TestMain is also the main function of the nodes under test, which are this binary
// started with a role as its argument, and of a small host.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(sdk.HandshakeCookieKey) == sdk.HandshakeCookieValue:
		role := os.Args[1]
		os.Args = os.Args[:1] // sdk.Main takes arguments for commands
		roles[role]()
		sdk.Main(testNode)
	case len(os.Args) == 4 && os.Args[1] == "mini-host":
		miniHost(os.Args[2], os.Args[3])
	}
	var err error
	if scratch, err = os.MkdirTemp("", "process"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(scratch)
	os.Exit(code)
}

// scratch is a directory for files that all tests share.
var scratch string

// roles are what a node does before it becomes an ordinary one, if it ever does. The
// faults that every host must survive are in sdk/nodetest/badnode; tests of these need
// access to internals of the host.
var roles = map[string]func(){
	"good":      func() {},
	"mute":      func() { hang() },
	"closes":    func() { os.Stdout.Close(); hang() },
	"too new":   func() { fmt.Fprintln(os.Stdout, "1|7|unix|/nowhere|grpc"); hang() },
	"elsewhere": func() { fmt.Fprintln(os.Stdout, "1|1|tcp|192.0.2.1:80|grpc"); hang() },
	"no cert":   func() { os.Unsetenv("PLUGIN_CLIENT_CERT") },
	"escapee":   escapee,
	"bad Close": func() { testNode.Close = func(context.Context) error { hang(); return nil } },
	"not yet":   notYet,
	"foreign":   foreign,
}

// hang lasts longer than any test, but ends, so that a failed test leaves no process behind.
func hang() { time.Sleep(10 * time.Minute) }

// notYet fails to open the first time.
func notYet() {
	attempt := os.Getenv("HOME") + "/attempt"
	testNode.Configure = func(context.Context, sdk.Setup) error {
		if _, err := os.Stat(attempt); err == nil {
			return nil
		}
		_ = os.WriteFile(attempt, nil, 0o600)
		return errors.New("the database is not there")
	}
}

// escapee leaves a process outside the group that keeps stdin, stdout and stderr open.
func escapee() {
	cmd := exec.Command("sleep", "60")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	board.Set(sdk.Health{Subject: "escapee", State: sdk.Healthy, Message: fmt.Sprint(cmd.Process.Pid)})
}

type do struct {
	Do   string `json:"do"`
	With string `json:"with"`
}

type said struct {
	Said string   `json:"said"`
	Env  []string `json:"env,omitempty"`
}

// testNode does what its input says.
var testNode = &sdk.Node{
	Name: "test-node", Version: "1.0.0",
	Settings: []byte(`{"type":"object","properties":{"size":{"type":"integer"}},"additionalProperties":false}`),
	Health:   board,
	Operations: []sdk.Offer{sdk.Action[do, said]{
		ID: "test.do@1", Input: []byte(`{"type":"object"}`), Output: []byte(`{"type":"object"}`), Run: obey,
	}},
}

var board = sdk.NewBoard()

func obey(ctx context.Context, call *sdk.Call, in do) (out said, err error) {
	out.Said = in.Do
	switch in.Do {
	case "env":
		out.Env = os.Environ()
	case "stdin":
		out.Said, err = os.Readlink("/proc/self/fd/0")
	case "exit":
		os.Exit(4)
	case "crash":
		go panic("boom in a goroutine")
		select {}
	case "wait":
		call.Progress("waiting", "", nil)
		<-ctx.Done()
		err = ctx.Err()
	case "read": // from a fifo, which blocks until somebody writes to it
		call.Progress("reading", "", nil)
		var text []byte
		text, err = os.ReadFile(in.With)
		out.Said = string(text)
	case "unwell":
		board.Set(sdk.Health{State: sdk.Degraded, Reason: "queue_full", Message: "the queue is full"})
	case "well":
		board.Set(sdk.Health{State: sdk.Healthy})
	}
	return out, err
}

// miniHost supervises one node, reports when it is ready and waits to be killed.
func miniHost(role, dir string) {
	run, err := openRunDirIn(dir)
	if err != nil {
		panic(err)
	}
	sup, err := New(Spec{Name: "mini", Path: self(), Args: []string{role}, StateDir: dir, RunDir: run})
	if err != nil {
		panic(err)
	}
	if err := sup.Start(context.Background()); err != nil {
		panic(err)
	}
	_ = json.NewEncoder(os.Stdout).Encode(sup.State())
	runtime.KeepAlive(run)
	hang()
}

func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}
