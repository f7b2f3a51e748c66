package process

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/sdk/client"
)

// begin starts a call of the test node and waits until it runs. The returned channel
// gets its outcome.
func (n *node) begin(in do) <-chan error {
	n.t.Helper()
	c, err := n.Client(n.soon())
	if err != nil {
		n.t.Fatal(err)
	}
	input, err := json.Marshal(in)
	if err != nil {
		n.t.Fatal(err)
	}
	running, outcome := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := c.Execute(n.soon(), client.Request{Operation: "test.do@1", Input: input, Key: "key-of-the-call"},
			func(client.Progress) { close(running) })
		outcome <- err
	}()
	<-running
	return outcome
}

// go-plugin's Kill cuts running calls within 2 ms; Stop lets them finish.
func TestStopLetsCallsFinish(t *testing.T) {
	n := started(t, "good")
	fifo := filepath.Join(n.dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	outcome := n.begin(do{Do: "read", With: fifo})

	stopped := make(chan error, 1)
	go func() { stopped <- n.Stop(n.soon()) }()
	n.awaitState(Draining)
	if err := os.WriteFile(fifo, []byte("go on"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-outcome; err != nil {
		t.Errorf("the call: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestStopCutsWhatOutlastsTheGrace(t *testing.T) {
	n := started(t, "good", func(s *Spec) { s.DrainGrace = time.Millisecond })
	outcome := n.begin(do{Do: "wait"})
	if err := n.Stop(n.soon()); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := <-outcome; err == nil {
		t.Error("the call was not cut")
	}
	n.logs.await(t, "key-of-the-call")
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	n := started(t, "bad Close", func(s *Spec) { s.CloseTimeout, s.ExitTimeout = time.Millisecond, time.Millisecond })
	if err := n.Stop(n.soon()); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("stop: %v", err)
	}
	if st := n.State(); st.State != Stopped || st.PID != 0 {
		t.Errorf("it is %+v", st)
	}
}

func TestStopInAHurry(t *testing.T) {
	n := started(t, "bad Close")
	pid := n.State().PID
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Stop(ctx); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("stop: %v", err)
	}
	gone(t, pid)
}
