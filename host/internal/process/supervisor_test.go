package process

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

func TestLife(t *testing.T) {
	n := newNode(t, "good")
	if _, err := n.Client(n.soon()); !errors.Is(err, ErrStopped) {
		t.Fatalf("before Start: %v", err)
	}
	if err := n.Start(n.soon()); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(n.soon()); !errors.Is(err, ErrRunning) {
		t.Errorf("second Start: %v", err)
	}
	n.works()
	if m, ok := n.Manifest(); !ok || m.Name != "test-node" {
		t.Errorf("manifest %+v, %t", m, ok)
	}
	first := n.State().PID
	if err := n.Restart(n.soon()); err != nil {
		t.Fatal(err)
	}
	n.works()
	if second := n.State().PID; second == first || second == 0 {
		t.Errorf("pid %d after %d", second, first)
	}
	if err := n.Stop(n.soon()); err != nil {
		t.Errorf("the node did not end by itself: %v", err)
	}
	if err := n.Stop(n.soon()); err != nil {
		t.Errorf("second Stop: %v", err)
	}
	if crashes := n.Crashes(); len(crashes) != 0 {
		t.Errorf("an orderly end is a crash: %+v", crashes)
	}
	var edges []string
	for line := range strings.Lines(n.logs.String()) {
		if _, edge, ok := strings.Cut(line, `msg="node state" node=n `); ok {
			from, to, _ := strings.Cut(edge, " to=")
			edges = append(edges, strings.TrimPrefix(from, "from=")+">"+strings.Fields(to)[0])
		}
	}
	once := "stopped>starting starting>ready ready>draining draining>stopped"
	if got := strings.Join(edges, " "); got != once+" "+once {
		t.Errorf("edges: %s", got)
	}
}

func TestCrashIsReportedAndCured(t *testing.T) {
	n := started(t, "good")
	before := n.State()
	if _, err := n.tell("crash"); err == nil {
		t.Fatal("the node survived")
	}
	n.await("is up again", func(s Status) bool { return s.State == Ready && s.PID != before.PID })
	n.works()
	crashes := n.Crashes()
	if len(crashes) != 1 {
		t.Fatalf("%d reports", len(crashes))
	}
	c := crashes[0]
	if c.PID != before.PID || c.Exit != "exit status 2" || c.Ran <= 0 || !strings.Contains(c.Reason, "exit status 2") {
		t.Errorf("report %+v", c)
	}
	if !strings.HasPrefix(c.Panic, "panic: boom in a goroutine\n") || !strings.Contains(c.Panic, "obey") {
		t.Errorf("panic text %q", c.Panic)
	}
	if len(c.Stderr) == 0 {
		t.Error("no stderr")
	}
	if n := strings.Count(n.logs.String(), "node panicked"); n != 1 {
		t.Errorf("%d records of the panic, want 1", n)
	}
}

func TestQuarantine(t *testing.T) {
	n := started(t, "good", func(s *Spec) { s.CrashBudget = 3 })
	for range 3 {
		n.await("serves or is quarantined", func(s Status) bool { return s.State == Ready })
		pid := n.State().PID
		_, _ = n.tell("exit")
		n.await("noticed", func(s Status) bool { return s.PID != pid })
	}
	st := n.awaitState(Quarantined)
	if !strings.Contains(st.Reason, "3 crashes in 10m0s") || !strings.Contains(st.Reason, "exit status 4") {
		t.Errorf("reason %q", st.Reason)
	}
	if _, err := n.Client(n.soon()); !errors.Is(err, ErrQuarantined) {
		t.Errorf("client: %v", err)
	}
	if err := n.Restart(n.soon()); err != nil {
		t.Fatal(err)
	}
	n.works()
}

func TestClientWaitsForTheNextProcess(t *testing.T) {
	n := newNode(t, "good")
	got := make(chan error, 1)
	go func() {
		for st := range n.Watch(n.soon()) {
			if st.State == Starting {
				break
			}
		}
		_, err := n.Client(n.soon())
		got <- err
	}()
	if err := n.Start(n.soon()); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

func TestClientIsBoundedByItsContext(t *testing.T) {
	n := newNode(t, "mute")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Start(ctx) }()
	n.awaitState(Starting)

	reason := errors.New("no more time")
	short, giveUp := context.WithCancelCause(t.Context())
	giveUp(reason)
	if _, err := n.Client(short); !errors.Is(err, reason) {
		t.Errorf("client: %v", err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("start: %v", err)
	}
	if st := n.State(); st.State != Stopped {
		t.Errorf("a cancelled start leaves it %s", st.State)
	}
}

func TestStopCancelsAStart(t *testing.T) {
	n := newNode(t, "mute")
	started := make(chan error, 1)
	go func() { started <- n.Start(n.soon()) }()
	n.awaitState(Starting)
	if err := n.Stop(n.soon()); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := <-started; !errors.Is(err, ErrStopped) {
		t.Errorf("start: %v", err)
	}
}

func TestOnReadyRunsForEveryProcess(t *testing.T) {
	n := newNode(t, "good")
	type call struct {
		ctx context.Context
		c   *client.Client
	}
	calls := make(chan call, 10)
	n.OnReady(func(ctx context.Context, c *client.Client) {
		calls <- call{ctx, c}
		<-ctx.Done()
	})
	if err := n.Start(n.soon()); err != nil {
		t.Fatal(err)
	}
	first := <-calls
	if _, err := first.c.Describe(first.ctx); err != nil {
		t.Error(err)
	}
	late := make(chan struct{})
	n.OnReady(func(ctx context.Context, _ *client.Client) { close(late); <-ctx.Done() })
	<-late // OnReady also runs for the present process

	late = make(chan struct{})
	_, _ = n.tell("exit")
	<-first.ctx.Done()
	second := <-calls
	<-late
	if _, err := second.c.Describe(second.ctx); err != nil {
		t.Error(err)
	}
	if err := n.Stop(n.soon()); err != nil {
		t.Error(err)
	}
	if second.ctx.Err() == nil {
		t.Error("the context outlives its process")
	}
}

func TestHealthGradesTheProcess(t *testing.T) {
	n := started(t, "good")
	if _, err := n.tell("unwell"); err != nil {
		t.Fatal(err)
	}
	if st := n.awaitState(Degraded); st.Reason != "queue_full the queue is full" {
		t.Errorf("reason %q", st.Reason)
	}
	if h := n.Health(); len(h) != 1 || h[0].State != sdk.Degraded {
		t.Errorf("health %+v", h)
	}
	n.works() // degraded nodes take calls
	if _, err := n.tell("well"); err != nil {
		t.Fatal(err)
	}
	n.awaitState(Ready)
}

func TestRefusals(t *testing.T) {
	t.Run("settings", func(t *testing.T) {
		n := newNode(t, "good", func(s *Spec) { s.Settings = []byte(`{"size":"large"}`) })
		n.fails("the settings are refused", "/size")
		n.awaitState(Quarantined)
	})
	t.Run("manifest", func(t *testing.T) {
		n := newNode(t, "good", func(s *Spec) {
			s.Accept = func(m sdk.Manifest) error { return fmt.Errorf("%s is not what I locked", m.Name) }
		})
		n.fails("test-node is not what I locked")
		n.awaitState(Quarantined)
	})
	t.Run("no binary", func(t *testing.T) {
		n := newNode(t, "good", func(s *Spec) { s.Path = "/nowhere/node" })
		n.fails("cannot run the node", "no such file")
		n.awaitState(Quarantined)
	})
	t.Run("not now", func(t *testing.T) {
		home := t.TempDir()
		t.Setenv("HOME", home)
		n := newNode(t, "not yet")
		n.fails("the node cannot open", "the database is not there")
		n.awaitState(Ready)
		n.works()
	})
}

// A call through the supervisor costs no more than one through the client.
func TestClientCostsNothing(t *testing.T) {
	n := started(t, "good")
	ctx := t.Context()
	allocs := testing.AllocsPerRun(1000, func() {
		if _, err := n.Client(ctx); err != nil {
			t.Error(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
