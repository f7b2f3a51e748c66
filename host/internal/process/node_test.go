package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// TestMain is also the main of the nodes under test, which are this binary started
// again with a role as its argument, and of a small host.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(sdk.HandshakeCookieKey) == sdk.HandshakeCookieValue:
		role := os.Args[1]
		os.Args = os.Args[:1] // sdk.Main takes arguments for commands
		roles[role]()
		sdk.Main(testNode)
	case len(os.Args) == 3 && os.Args[1] == "mini-host":
		miniHost(os.Args[2])
	}
	os.Exit(m.Run())
}

// roles are what a node does before it becomes an ordinary one, if it gets there.
var roles = map[string]func(){
	"good":       func() {},
	"prints":     func() { fmt.Fprintln(os.Stdout, "Loading configuration...") },
	"floods":     func() { _, _ = io.Copy(os.Stdout, endless{}) },
	"mute":       func() { select {} },
	"closes":     func() { os.Stdout.Close(); select {} },
	"exits":      func() { fmt.Fprintln(os.Stderr, "cannot open /dev/radio"); os.Exit(3) },
	"panics":     func() { panic("boom") },
	"too new":    func() { fmt.Println("1|7|unix|/nowhere|grpc"); select {} },
	"elsewhere":  func() { fmt.Println("1|1|tcp|192.0.2.1:80|grpc"); select {} },
	"no cert":    func() { os.Unsetenv("PLUGIN_CLIENT_CERT") },
	"bad log":    func() { fmt.Fprintln(os.Stderr, `{"@message": 42}`+"\n"+`{"@level": [], "@message": {}}`) },
	"long log":   func() { fmt.Fprintln(os.Stderr, strings.Repeat("x", 1<<20)) },
	"grandchild": func() { grandchild(nil) },
	"escapee":    func() { grandchild(&syscall.SysProcAttr{Setsid: true}) },
	"late stdout": func() {
		out := os.NewFile(dup(1), "stdout") // the sdk does not get to guard this one
		atRole["late stdout"] = func() { _, _ = io.CopyN(out, endless{}, 4<<20) }
	},
	"bad Close": func() { testNode.Close = func(context.Context) error { select {} } },
	"not yet": func() {
		attempt := os.Getenv("HOME") + "/attempt"
		testNode.Configure = func(context.Context, sdk.Setup) error {
			if _, err := os.Stat(attempt); err == nil {
				return nil
			}
			_ = os.WriteFile(attempt, nil, 0o600)
			return errors.New("the database is not there")
		}
	},
}

// atRole is what "do":"role" does.
var atRole = map[string]func(){}

type do struct {
	Do string `json:"do"`
}

type said struct {
	Said string   `json:"said"`
	Env  []string `json:"env,omitempty"`
}

// testNode does what it is told.
var testNode = &sdk.Node{
	Name: "test-node", Version: "1.0.0",
	Settings: []byte(`{"type":"object","properties":{"size":{"type":"integer"}},"additionalProperties":false}`),
	Health:   board,
	Operations: []sdk.Offer{sdk.Action[do, said]{
		ID: "test.do@1", Input: []byte(`{"type":"object"}`), Output: []byte(`{"type":"object"}`), Run: obey,
	}},
}

var board = sdk.NewBoard()

func obey(ctx context.Context, call *sdk.Call, in do) (said, error) {
	switch in.Do {
	case "env":
		return said{Env: os.Environ()}, nil
	case "exit":
		os.Exit(4)
	case "crash":
		go panic("boom in a goroutine")
		select {}
	case "freeze":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "wait":
		call.Progress("waiting", "", nil)
		<-ctx.Done()
		return said{}, ctx.Err()
	case "unwell":
		board.Set(sdk.Health{State: sdk.Degraded, Reason: "queue_full", Message: "the queue is full"})
	case "well":
		board.Set(sdk.Health{State: sdk.Healthy})
	case "role":
		for _, f := range atRole {
			f()
		}
	}
	return said{Said: in.Do}, nil
}

// grandchild holds this process's stdin, stdout and stderr for as long as it lives.
func grandchild(attr *syscall.SysProcAttr) {
	cmd := exec.Command("sleep", "1000")
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = os.Stdin, os.Stdout, os.Stderr, attr
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	board.Set(sdk.Health{Subject: "grandchild", State: sdk.Healthy, Message: fmt.Sprint(cmd.Process.Pid)})
}

func dup(fd int) uintptr {
	n, err := syscall.Dup(fd)
	if err != nil {
		panic(err)
	}
	return uintptr(n)
}

// endless is a text without end and without line breaks.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// miniHost supervises one node, says when it is ready and waits to be killed.
func miniHost(dir string) {
	run, err := openRunDirIn(dir)
	if err != nil {
		panic(err)
	}
	sup, err := New(Spec{Name: "mini", Path: self(), Args: []string{"good"}, StateDir: dir, RunDir: run})
	if err != nil {
		panic(err)
	}
	if err := sup.Start(context.Background()); err != nil {
		panic(err)
	}
	_ = json.NewEncoder(os.Stdout).Encode(sup.State())
	runtime.KeepAlive(run)
	time.Sleep(time.Hour)
}

func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}
