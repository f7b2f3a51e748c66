//go:build linux

package process

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Each test is one way in which a node is known to crash or hang a stock go-plugin host.
// The node is sdk/nodetest/badnode; the host is under test.

func TestTrapBadLogJSON(t *testing.T) {
	n := startedBad(t, "start:bad-log")
	if err := n.misbehave("bad-log"); err != nil {
		t.Fatal(err)
	}
	n.logs.await(t, `@message\": 42`)
	n.echoes("still here")
}

func TestTrapPrintBeforeHandshake(t *testing.T) {
	bad(t, "start:print").fails("the node printed", "hello from a node that prints", "print to stderr")
}

func TestTrapStdoutFloodBeforeHandshake(t *testing.T) {
	bad(t, "start:long-stdout").fails("the node printed", "ooooo")
}

func TestTrapLongLineOnStdout(t *testing.T) {
	n := startedBad(t, "")
	for range 4 { // a pipe holds 64 KiB: the second would block without a reader
		if err := n.misbehave("long-stdout"); err != nil {
			t.Fatal(err)
		}
	}
	n.echoes("still here")
}

func TestTrapLongLineOnStderr(t *testing.T) {
	n := startedBad(t, "configure:long-stderr")
	n.echoes("still here")
	if err := n.Stop(n.soon()); err != nil {
		t.Fatal(err)
	}
	n.logs.await(t, "…(983040 bytes cut)") // known at the end of the line
}

func TestTrapLogFlood(t *testing.T) {
	n := startedBad(t, "")
	if err := n.misbehave("flood-log"); err != nil {
		t.Fatal(err)
	}
	n.echoes("still here")
	if err := n.Stop(n.soon()); err != nil {
		t.Fatal(err)
	}
	text := n.logs.String()
	if lines := strings.Count(text, "of a flood"); lines > 50_000 || !strings.Contains(text, "lines dropped") {
		t.Errorf("%d lines of 100000 reached the log", lines)
	}
}

func TestTrapStartThatHangs(t *testing.T) {
	t.Run("times out", func(t *testing.T) {
		bad(t, "start:hang", func(s *Spec) { s.StartTimeout = 100 * time.Millisecond }).
			fails("did not finish its handshake within 100ms")
	})
	t.Run("in Configure", func(t *testing.T) {
		bad(t, "configure:hang", func(s *Spec) { s.ConfigureTimeout = 100 * time.Millisecond }).
			fails("configure", "DeadlineExceeded")
	})
	for _, orders := range []string{"start:hang", "configure:hang"} {
		t.Run("can be stopped: "+orders, func(t *testing.T) {
			n := bad(t, orders)
			go func() { _ = n.Start(n.soon()) }()
			n.awaitState(Starting)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			m := bad(t, orders)
			go func() { done <- m.Start(ctx) }()
			m.awaitState(Starting)
			cancel()
			if err := <-done; err == nil {
				t.Error("started")
			}
		})
	}
}

func TestTrapExitsAndPanicsWhileStarting(t *testing.T) {
	for orders, want := range map[string][]string{
		"start:exit":      {"ended before the handshake", "exit status 3", "said nothing"},
		"start:panic":     {"ended before the handshake", "exit status 2"},
		"configure:exit":  {"configure", "the node ended (exit status 3)"},
		"configure:crash": {"configure", "the node ended (exit status 2)"},
	} {
		t.Run(orders, func(t *testing.T) {
			n := bad(t, orders)
			n.fails(want...)
			n.await("is reported", func(s Status) bool { return s.State != Starting })
			crash := n.Crashes()[0]
			if crash.Exit == "" || crash.PID == 0 {
				t.Errorf("report %+v", crash)
			}
			if panics := strings.Contains(orders, "panic") || strings.Contains(orders, "crash"); panics != (crash.Panic != "") {
				t.Errorf("panic text %q", crash.Panic)
			}
		})
	}
}

// A suspended process does not answer and does not react to a request to exit: go-plugin's
// Ping and Kill hang.
func TestTrapFrozenNode(t *testing.T) {
	frozen := func(t *testing.T, change func(*Spec)) *node {
		n := startedBad(t, "", change)
		go func() { _ = n.misbehave("stop") }()
		awaitProcState(t, n.State().PID, "T")
		return n
	}
	t.Run("is restarted", func(t *testing.T) {
		n := frozen(t, func(s *Spec) {
			s.HealthEvery, s.HealthTimeout, s.HealthMisses = 10*time.Millisecond, 300*time.Millisecond, 3
		})
		pid := n.State().PID
		n.await("runs again", func(s Status) bool { return s.State == Ready && s.PID != pid })
		if c := n.Crashes()[0]; !strings.Contains(c.Reason, "did not answer 3 liveness calls") || c.Exit != "signal: killed" {
			t.Errorf("report %+v", c)
		}
		if !strings.Contains(n.logs.String(), "to=unresponsive") {
			t.Error("it was not unresponsive first")
		}
		n.echoes("again")
	})
	t.Run("recovers", func(t *testing.T) {
		n := frozen(t, func(s *Spec) {
			s.HealthEvery, s.HealthTimeout, s.HealthMisses = 10*time.Millisecond, 300*time.Millisecond, 1_000_000
		})
		st := n.awaitState(Unresponsive)
		if st.State.Serving() || st.PID == 0 {
			t.Errorf("it is %+v", st)
		}
		if err := syscall.Kill(st.PID, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if again := n.awaitState(Ready); again.PID != st.PID {
			t.Errorf("it is %+v, and was %+v", again, st)
		}
		n.echoes("still here")
	})
	t.Run("is stopped", func(t *testing.T) {
		n := frozen(t, func(s *Spec) {
			s.DrainGrace, s.CloseTimeout, s.ExitTimeout = time.Millisecond, time.Millisecond, time.Millisecond
			s.drainSlack = time.Millisecond
		})
		if err := n.Stop(n.soon()); err == nil || !strings.Contains(err.Error(), "was killed") {
			t.Errorf("stop: %v", err)
		}
	})
}

// A node that ignores SIGTERM and the end of its stdin still stops through go-plugin's
// controller.
func TestTrapDeafNode(t *testing.T) {
	n := startedBad(t, "start:deaf")
	if err := n.Stop(n.soon()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestTrapMessageSizes(t *testing.T) {
	n := startedBad(t, "")
	n.echoes(strings.Repeat("a", 5<<20)) // go-plugin's default limit is 4 MiB
	if err := n.misbehave("large"); err != nil {
		t.Errorf("an answer of 5 MiB: %v", err)
	}
	if err := n.misbehave("huge"); err == nil {
		t.Error("an answer of 17 MiB arrived")
	}
	n.echoes("still here")
}

func TestTrapSockets(t *testing.T) {
	n := startedBad(t, "")
	sockets, err := filepath.Glob(n.spec.RunDir.Path() + "/*/plugin*")
	if err != nil || len(sockets) != 1 {
		t.Fatalf("sockets in %s: %v, %v", n.spec.RunDir.Path(), sockets, err)
	}
	for dir := filepath.Dir(sockets[0]); strings.HasPrefix(dir, n.dir+"/"); dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}

	t.Run("a removed socket does no harm", func(t *testing.T) {
		if err := n.misbehave("unlink"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(sockets[0]); !os.IsNotExist(err) {
			t.Fatalf("the socket is there: %v", err)
		}
		n.echoes("still here")
	})
	t.Run("nothing is left after SIGKILL", func(t *testing.T) {
		pid := n.State().PID
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		n.await("noticed", func(s Status) bool { return s.PID != pid })
		if _, err := os.Stat(filepath.Dir(sockets[0])); !os.IsNotExist(err) {
			t.Errorf("the directory is there: %v", err)
		}
	})
}

// A grandchild that keeps stdout and stderr open hides the node's death from a host that
// waits for the end of the pipes.
func TestTrapGrandchild(t *testing.T) {
	n := startedBad(t, "configure:grandchild")
	pid := n.State().PID
	children := childrenOf(t, pid)
	if len(children) == 0 {
		t.Fatal("there is no grandchild")
	}
	if err := n.misbehave("exit"); err == nil {
		t.Fatal("the node survived")
	}
	n.await("noticed", func(s Status) bool { return s.PID != pid && s.State == Ready })
	for _, child := range children {
		gone(t, child)
	}
}

// childrenOf reads the children of a process, which the kernel lists by the thread that forked.
func childrenOf(t *testing.T, pid int) (children []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(lists) == 0 {
		t.Skip("the kernel does not list children:", err)
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // a thread that ended
		}
		for child := range strings.FieldsSeq(string(text)) {
			var id int
			if _, err := fmt.Sscan(child, &id); err != nil {
				t.Fatal(err)
			}
			children = append(children, id)
		}
	}
	return children
}

func awaitProcState(t *testing.T, pid int, want string) {
	t.Helper()
	for deadline := time.Now().Add(testTimeout); ; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
		if err == nil && strings.Contains(string(stat), ") "+want+" ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d is not %s: %s %v", pid, want, stat, err)
		}
	}
}
