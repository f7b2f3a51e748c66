package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// mortalHost is a tapnode serve that is restarted whenever it ends, as a service manager does.
type mortalHost struct {
	data    string
	said    string // the file with its log
	control *control
	lives   atomic.Int64
	ails    atomic.Bool // it has a fault that takes a while
	asleep  atomic.Bool // its current process is stopped
	cut     atomic.Bool // it is cut off from its database

	mu   sync.Mutex
	cmd  *exec.Cmd // the current process
	rest time.Time // no new process starts before this
	over bool
	end  error // of the last process
	done chan struct{}
}

// startMortal starts a mortalHost, whose log is shown if the test fails.
func startMortal(t *testing.T, data string, args ...string) *mortalHost {
	t.Helper()
	temporary := shortDir(t)
	said, err := os.Create(filepath.Join(temporary, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	h := &mortalHost{data: data, said: said.Name(), control: newControl(data), done: make(chan struct{})}
	go h.live(func() *exec.Cmd {
		cmd := process(t, []string{"TMPDIR=" + temporary}, args...)
		cmd.Stderr = said
		return cmd
	})
	t.Cleanup(func() {
		h.mu.Lock()
		h.over = true
		h.mu.Unlock()
		h.kill()
		<-h.done
		h.control.close()
		_ = said.Close()
		if raw, err := os.ReadFile(said.Name()); err == nil && t.Failed() {
			t.Logf("the host said at last:\n%s", raw[max(0, len(raw)-20_000):])
		}
	})
	return h
}

func (h *mortalHost) live(command func() *exec.Cmd) {
	defer close(h.done)
	for {
		for h.rests() {
			time.Sleep(20 * time.Millisecond)
		}
		cmd := command()
		h.mu.Lock()
		if h.over {
			h.mu.Unlock()
			return
		}
		h.asleep.Store(false)
		h.end = cmd.Start()
		h.cmd = cmd
		h.mu.Unlock()
		h.lives.Add(1)
		if h.end == nil {
			h.end = cmd.Wait()
		}
		if cmd.ProcessState == nil || cmd.ProcessState.Exited() { // it gave up by itself, without its database
			time.Sleep(200 * time.Millisecond)
		}
	}
}

func (h *mortalHost) rests() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.over && time.Now().Before(h.rest)
}

// lose kills the host, which stays away for a while.
func (h *mortalHost) lose(rest time.Duration) {
	h.mu.Lock()
	h.rest = time.Now().Add(rest)
	h.mu.Unlock()
	h.kill()
}

// kill kills the host, if it lives.
func (h *mortalHost) kill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cmd != nil && h.cmd.Process != nil {
		_ = h.cmd.Process.Kill() // it may have ended
	}
}

// killNode kills the host's node, and reports whether there was one.
func (h *mortalHost) killNode(t *testing.T) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cmd == nil || h.cmd.Process == nil {
		return false
	}
	found := false
	for _, pid := range children(t, h.cmd.Process.Pid) {
		found = syscall.Kill(pid, syscall.SIGKILL) == nil || found
	}
	return found
}

// stop ends the host in order.
func (h *mortalHost) stop(t *testing.T) {
	t.Helper()
	if err := h.terminate(); err != nil {
		t.Errorf("the host did not end in order: %v", err)
	}
}

// terminate asks the host to end, and returns how it ended.
func (h *mortalHost) terminate() error {
	h.mu.Lock()
	h.over = true
	err := h.cmd.Process.Signal(syscall.SIGTERM)
	h.mu.Unlock()
	<-h.done
	return errors.Join(err, h.end)
}

// run starts a run of the flow "crash" under a key, and retries until some process of the host has
// accepted it.
func (h *mortalHost) run(ctx context.Context, key string, vars map[string]string) (id string, err error) {
	body, err := json.Marshal(map[string]any{"vars": vars})
	if err != nil {
		return "", err
	}
	for {
		if id, err = h.try(ctx, key, body); err == nil || ctx.Err() != nil {
			return id, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (h *mortalHost) try(ctx context.Context, key string, body []byte) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://tapnode/v1/flows/crash/runs", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Idempotency-Key", key)
	res, err := h.control.http.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var started struct{ Run string }
	if res.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("start: %d", res.StatusCode)
	}
	err = json.NewDecoder(res.Body).Decode(&started)
	return started.Run, err
}
