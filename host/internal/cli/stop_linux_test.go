package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// running is tapnode as a process of its own, with directories of its own.
type running struct {
	cmd   *exec.Cmd
	tmp   string
	lines chan string // of stdout; closed at its end
	err   bytes.Buffer
}

// startProcess starts the command that this test binary is under the name tapnode.
func startProcess(t *testing.T, args ...string) *running {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{cmd: exec.CommandContext(t.Context(), exe, args...), tmp: shortDir(t), lines: make(chan string, 1000)}
	r.cmd.Args[0] = "tapnode"
	r.cmd.Env = append(os.Environ(), "TAPNODE_NODES="+nodesDir, "TMPDIR="+r.tmp, "RUNTIME_DIRECTORY="+shortDir(t))
	r.cmd.Stderr = &r.err
	out, w := io.Pipe()
	r.cmd.Stdout = w
	r.cmd.WaitDelay = 10 * time.Second
	go func() {
		defer close(r.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			r.lines <- lines.Text()
		}
	}()
	t.Cleanup(func() { _ = w.Close() })
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// until waits for a line with this text, and returns what follows it.
func (r *running) until(t *testing.T, text string) string {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				t.Fatalf("the output ended before %q", text)
			}
			if _, rest, found := strings.Cut(line, text); found {
				return rest
			}
		case <-limit:
			t.Fatalf("no %q in 30 s", text)
			return ""
		}
	}
}

// children are the processes that a process has started and that still run.
func children(t *testing.T, parent int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:])) // state, parent
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && fields[1] == strconv.Itoa(parent) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func alive(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(raw, []byte(") Z "))
}

// TestInterrupt: Ctrl-C stops a command in order, wherever it is: no stack, no process,
// no temporary directory, and an exit code that says whether the work was done.
func TestInterrupt(t *testing.T) {
	menu := []string{"serve", "--simulate", "--listen", "127.0.0.1:0", simulated}
	slow := filepath.Join(t.TempDir(), "slow.yaml") // types for a minute before it sends
	typing := strings.Replace(fmt.Sprintf(flowWith, `[{id: a, displayText: A}]`), "contentText:", "delay: 60\n      contentText:", 1)
	if err := os.WriteFile(slow, []byte(typing), 0o600); err != nil {
		t.Fatal(err)
	}
	run := []string{"run", slow, "--simulate"}
	for _, c := range []struct {
		name, after string // "": as soon as it runs nodes
		args        []string
		signal      os.Signal
		code        int
	}{
		{"serve, starting", "", menu, os.Interrupt, exitFailed},
		{"serve", "wait.armed", menu, os.Interrupt, exitOK},
		{"serve, SIGTERM", "tapnode serves", menu, syscall.SIGTERM, exitOK},
		{"run, starting", "", run, os.Interrupt, exitFailed},
		{"run, in the middle of a call", "typing", run, os.Interrupt, exitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := startProcess(t, c.args...)
			var nodes []int
			if c.after == "" {
				deadline(t, func() bool { nodes = children(t, r.cmd.Process.Pid); return len(nodes) > 0 })
			} else {
				r.until(t, c.after)
				nodes = children(t, r.cmd.Process.Pid)
			}
			if err := r.cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			stopped := time.AfterFunc(time.Minute, func() { _ = r.cmd.Process.Kill() })
			_ = r.cmd.Wait() // its code is in ProcessState
			if !stopped.Stop() {
				t.Error("it does not stop")
			}
			if code := r.cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if said := r.err.String(); strings.Contains(said, "goroutine ") || strings.Contains(said, "level=") || strings.Count(said, "\n") > 2 {
				t.Errorf("stderr:\n%s", said)
			}
			for _, pid := range nodes {
				if alive(pid) {
					t.Errorf("node %d is left", pid)
				}
			}
			if left, err := os.ReadDir(r.tmp); err != nil || len(left) > 0 {
				t.Errorf("left in the temporary directory: %v %v", left, err)
			}
		})
	}
}

// TestKilledHost: even when tapnode is killed at once, its node follows.
func TestKilledHost(t *testing.T) {
	r := startProcess(t, "serve", "--simulate", "--listen", "127.0.0.1:0", simulated)
	r.until(t, "wait.armed")
	nodes := children(t, r.cmd.Process.Pid)
	if len(nodes) == 0 {
		t.Fatal("no node runs")
	}
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = r.cmd.Wait() // killed
	deadline(t, func() bool { return !alive(nodes[0]) })
}

// TestCallsFinish: SIGTERM ends the server only when the HTTP calls that run have their
// answer.
func TestCallsFinish(t *testing.T) {
	r := startProcess(t, "serve", "--simulate", "--listen", "127.0.0.1:0", simulated)
	url := r.until(t, "tapnode serves at ")
	token := r.until(t, "account token, shown only now: ")
	r.until(t, "wait.armed")
	go func() { // the rest of the steps
		for range r.lines {
		}
	}()
	running := make(chan struct{})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(running) }})
	body := strings.Replace(goodMenu, "{", `{"delay":5,`, 1) // it types for 5 s before it sends
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+endpoint+"demo", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("token", token)
	req.Header.Set("Expect", "100-continue") // the answer to that comes from the handler
	status := make(chan string, 1)
	go func() {
		res, err := (&http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}).Do(req)
		if err != nil {
			status <- err.Error()
			return
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		status <- res.Status + " " + string(text)
	}()
	<-running
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-status; !strings.HasPrefix(got, "200") {
		t.Errorf("the call: %s", got)
	}
	stopped := time.AfterFunc(30*time.Second, func() { _ = r.cmd.Process.Kill() })
	_ = r.cmd.Wait() // its code is in ProcessState
	stopped.Stop()
	if code := r.cmd.ProcessState.ExitCode(); code != exitOK {
		t.Errorf("exit code %d; stderr:\n%s", code, &r.err)
	}
}
