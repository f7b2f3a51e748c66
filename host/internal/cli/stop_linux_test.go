package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
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

// running is tapnode as a process of its own, with its own directories.
type running struct {
	cmd   *exec.Cmd
	tmp   string
	out   *io.PipeWriter // its stdout
	lines chan string    // of stdout; closed at its end
	err   bytes.Buffer
}

// startProcess starts a command.
func startProcess(t *testing.T, args ...string) *running {
	t.Helper()
	return startProcessIn(t, nil, args...)
}

// startProcessIn starts a command with additions to its environment.
func startProcessIn(t *testing.T, env []string, args ...string) *running {
	t.Helper()
	tmp := shortDir(t)
	out, w := io.Pipe()
	r := &running{cmd: process(t, append(env, "TMPDIR="+tmp), args...), tmp: tmp, out: w, lines: make(chan string, 1000)}
	r.cmd.Stdout, r.cmd.Stderr = w, &r.err
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

// until waits for a line with this text, and returns the rest of the line after it.
func (r *running) until(t *testing.T, text string) string {
	t.Helper()
	limit := time.After(patience)
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
			t.Fatalf("no %q in %v; it says:\n%s", text, patience, &r.err)
			return ""
		}
	}
}

// hasSaid reports whether one of the unread lines of a process that has ended has this text.
func (r *running) hasSaid(text string) (found bool) {
	_ = r.out.Close()
	for line := range r.lines {
		found = found || strings.Contains(line, text)
	}
	return found
}

// children returns the processes that a process has started and that still run.
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

// TestInterrupt: Ctrl-C stops a command in order at any point: it leaves no stack trace, no process
// and no temporary directory, and the exit code says whether the work was done.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	menu := []string{"serve", "--simulate", "--listen", "127.0.0.1:0", simulated}
	slow := filepath.Join(t.TempDir(), "slow.yaml") // types for a minute before it sends
	typing := strings.Replace(fmt.Sprintf(flowWith, `[{id: a, displayText: A}]`), "contentText:", "delay: 60\n      contentText:", 1)
	if err := os.WriteFile(slow, []byte(typing), 0o600); err != nil {
		t.Fatal(err)
	}
	run := []string{"run", slow, "--simulate"}
	for _, c := range []struct {
		name, after string // "" means as soon as it runs nodes
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
			t.Parallel()
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
			if c.after == "" && r.hasSaid("tapnode serves") { // on a busy machine it may start before the signal
				c.code = exitOK
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

// TestKilledHost: even when tapnode is killed, its node ends, too.
func TestKilledHost(t *testing.T) {
	t.Parallel()
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

// TestCallsFinish: after SIGTERM the server ends only when the running HTTP calls have been
// answered.
func TestCallsFinish(t *testing.T) {
	t.Parallel()
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
	body := strings.Replace(goodMenu, "{", `{"delay":2,`, 1) // it types for 2 s before it sends
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

// TestDrain: SIGTERM ends a busy server before a process manager would kill it: with a call over
// HTTP and one of a flow that take a minute, a stream of steps, and a WebSocket. The exit code
// reports an orderly end.
func TestDrain(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	slow := filepath.Join(dir, "slow.yaml")
	typing := strings.Replace(fmt.Sprintf(flowWith, `[{id: a, displayText: A}]`), "contentText:", "delay: 60\n      contentText:", 1)
	if err := os.WriteFile(slow, []byte(typing), 0o600); err != nil {
		t.Fatal(err)
	}
	r := startProcess(t, "serve", "--simulate", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), slow)
	s := &served{url: r.until(t, "tapnode serves at ")}
	flow := r.until(t, "flows: ")
	s.token = r.until(t, "account token, shown only now: ")
	status, body := s.do(t, "POST", "/v1/flows/"+flow+"/runs", `{}`)
	var started struct{ Run string }
	if err := json.Unmarshal([]byte(body), &started); status != 201 || err != nil {
		t.Fatalf("start: %d %s", status, body)
	}
	r.until(t, "typing")
	ended := make(chan string, 3)
	open := func(name string, req *http.Request, err error) {
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("token", s.token)
		go func() {
			res, err := http.DefaultClient.Do(req)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			ended <- fmt.Sprint(name, " ", err)
		}()
	}
	taken := make(chan struct{}, 2)
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotFirstResponseByte: func() { taken <- struct{}{} }})
	stream, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/v1/runs/"+started.Run+"/steps", nil)
	open("stream", stream, err)
	socket, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/ws/demo", nil)
	if err == nil {
		socket.Header.Set("Connection", "Upgrade")
		socket.Header.Set("Upgrade", "websocket")
		socket.Header.Set("Sec-WebSocket-Version", "13")
		socket.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	}
	open("socket", socket, err)
	call, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+endpoint+"demo", strings.NewReader(strings.Replace(goodMenu, "{", `{"delay":60,`, 1)))
	open("call", call, err)
	<-taken
	<-taken
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	killed := time.AfterFunc(10*time.Second, func() { _ = r.cmd.Process.Kill() }) // as systemd or Kubernetes might
	_ = r.cmd.Wait()                                                              // its code is in ProcessState
	killed.Stop()
	if code := r.cmd.ProcessState.ExitCode(); code != exitOK {
		t.Errorf("exit code %d (-1: it was killed); stderr:\n%s", code, &r.err)
	}
	for range 3 {
		t.Log(<-ended)
	}
}
