package process

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/sdk/client"
)

// testTimeout is how long a test waits for an expected event.
const testTimeout = 30 * time.Second

// shortDir is a temporary directory whose path leaves room for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// node is a supervisor of a test node, with its log.
type node struct {
	*Supervisor
	t    *testing.T
	dir  string
	logs *logs
}

// newNode prepares a node without starting it. The node is stopped when the test ends.
func newNode(t *testing.T, role string, change ...func(*Spec)) *node {
	t.Helper()
	n := &node{t: t, dir: shortDir(t), logs: newLogs()}
	run, err := openRunDirIn(n.dir + "/run")
	if err != nil {
		t.Fatal(err)
	}
	spec := Spec{
		Name: "n", Path: self(), Args: []string{role}, StateDir: n.dir + "/state", RunDir: run, Logger: n.logs.logger(),
		Timing: Timing{
			BackoffMin: time.Millisecond, BackoffMax: time.Millisecond,
			StartTimeout: testTimeout, DescribeTimeout: testTimeout, HealthTimeout: testTimeout, // a busy machine must not fail the test
		},
	}
	for _, f := range change {
		f(&spec)
	}
	if n.Supervisor, err = New(spec); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = n.Stop(n.soon())
		left, _ := os.ReadDir(run.Path())
		if len(left) != 1 {
			t.Errorf("sockets are left over in %v", left)
		}
		run.Close()
	})
	return n
}

// started starts a node and waits until it is ready.
func started(t *testing.T, role string, change ...func(*Spec)) *node {
	t.Helper()
	n := newNode(t, role, change...)
	if err := n.Start(n.soon()); err != nil {
		t.Fatal(err)
	}
	return n
}

// soon is a context with the test's timeout.
func (n *node) soon() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	n.t.Cleanup(cancel)
	return ctx
}

// await waits for a status.
func (n *node) await(what string, ok func(Status) bool) Status {
	n.t.Helper()
	var last Status
	for last = range n.Watch(n.soon()) {
		if ok(last) {
			return last
		}
	}
	n.t.Fatalf("waited in vain until it %s; it is %+v\n%s", what, last, n.logs)
	return last
}

func (n *node) awaitState(want State) Status {
	n.t.Helper()
	return n.await("is "+string(want), func(s Status) bool { return s.State == want })
}

// tell makes the test node do something and returns its answer.
func (n *node) tell(what string) (said, error) {
	n.t.Helper()
	var out said
	text, err := n.call("test.do@1", do{Do: what})
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	return out, err
}

// call executes an operation.
func (n *node) call(operation string, input any) ([]byte, error) {
	n.t.Helper()
	text, err := json.Marshal(input)
	if err != nil {
		n.t.Fatal(err)
	}
	c, err := n.Client(n.soon())
	if err != nil {
		n.t.Fatal(err)
	}
	res, err := c.Execute(n.soon(), client.Request{Operation: operation, Input: text}, nil)
	return res.Output, err
}

// works checks that the node takes calls.
func (n *node) works() {
	n.t.Helper()
	if out, err := n.tell("something"); err != nil || out.Said != "something" {
		n.t.Fatalf("the node said %+v, %v", out, err)
	}
}

// fails starts the node and expects an error with all of the given words.
func (n *node) fails(words ...string) {
	n.t.Helper()
	err := n.Start(n.soon())
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			n.t.Fatalf("start: %v; want %q in it", err, w)
		}
	}
}

// gone waits until a process does not exist any more, or is a zombie that another process must reap.
func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(testTimeout); ; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
		if os.IsNotExist(err) || err == nil && strings.Contains(string(stat), ") Z ") {
			return
		}
		if err != nil && syscall.Kill(pid, 0) != nil { // no /proc here
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d lives", pid)
		}
	}
}

// openFiles counts the open files of this process; 0 if the system does not tell.
func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(files)
}
