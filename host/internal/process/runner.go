package process

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	goplugin "github.com/hashicorp/go-plugin/runner"
)

const (
	// maxHandshake bounds the first line on stdout. go-plugin's scanner stops for
	// good at a token of 64 KiB; a real handshake has about 1 KiB.
	maxHandshake = 16 << 10
	// lastWords is how long output is still read after the process has ended, because a
	// descendant that left the group may keep the pipes open.
	lastWords = 250 * time.Millisecond
	// unkillable is how long a process may take to end after SIGKILL.
	unkillable = 5 * time.Second
)

// runner is one node process. It implements go-plugin's runner.Runner and replaces
// go-plugin's own, which
//
//   - parses stderr in the host and panics on {"@message": 42}; stops reading stdout
//     at a line of 64 KiB, so that the node blocks;
//   - considers the process alive as long as anything holds its stdout open, and then
//     hangs in Kill;
//   - signals one process instead of its group, and does not let a start be cancelled;
//   - passes the host's stdin and environment to the node.
//
// Here go-plugin gets the first line of stdout, an empty stderr, and the end of both
// when the process itself has ended. Everything else stays in this package. SIGKILL to
// the group is the last resort to end the process; done closes when the process is
// reaped, its output read and its socket directory removed.
type runner struct {
	cmd   *exec.Cmd
	dir   string // of its sockets
	relay *relay

	stdin          *os.File       // held open; closing it tells the node to exit
	stdout, stderr *io.PipeReader // what go-plugin reads
	handOver       *io.PipeWriter // the other ends
	empty          *io.PipeWriter

	first []byte // the first line on stdout; read it only after done
	done  chan struct{}

	mu      sync.Mutex
	started bool
	reaped  bool
	killed  bool // kill was called before the process was reaped
}

var _ goplugin.Runner = (*runner)(nil)

// newRunner prepares a process. env is its whole environment; dir is removed at the end.
func newRunner(path string, args, env []string, workDir, dir string, relay *relay) *runner {
	r := &runner{
		cmd:  &exec.Cmd{Path: path, Args: append([]string{path}, args...), Env: env, Dir: workDir, SysProcAttr: attributes()},
		dir:  dir,
		done: make(chan struct{}), relay: relay,
	}
	r.stdout, r.handOver = io.Pipe()
	r.stderr, r.empty = io.Pipe()
	return r
}

// Start starts the process. ctx is not used: a start is cancelled by Kill.
func (r *runner) Start(context.Context) error {
	var files [6]*os.File // read and write end of stdin, stdout, stderr
	for i := 0; i < len(files); i += 2 {
		var err error
		if files[i], files[i+1], err = os.Pipe(); err != nil {
			closeAll(files[:]...)
			os.RemoveAll(r.dir)
			close(r.done)
			return err
		}
	}
	r.cmd.Stdin, r.stdin = files[0], files[1]
	r.cmd.Stdout, r.cmd.Stderr = files[3], files[5]

	started := make(chan error)
	go r.run(started, files)
	return <-started
}

// run owns the process from start to end. It keeps its thread, because Pdeathsig is sent
// when the thread that started the process ends.
func (r *runner) run(started chan<- error, files [6]*os.File) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(r.done)
	defer os.RemoveAll(r.dir)
	defer closeAll(files[:]...)

	err := r.cmd.Start()
	closeAll(files[0], files[3], files[5])
	if err != nil {
		r.closeHandOver()
		started <- err
		return
	}
	r.born()
	started <- nil

	stdout, stderr := files[2], files[4]
	var readers sync.WaitGroup
	readers.Go(func() { r.readStdout(stdout) })
	readers.Go(func() { eachLine(stderr, r.relay.line) })

	awaitExit(r.cmd.Process.Pid)
	r.reap()
	r.closeHandOver()
	until := time.Now().Add(lastWords)
	_ = stdout.SetReadDeadline(until) // pipes support deadlines
	_ = stderr.SetReadDeadline(until)
	readers.Wait()
	r.relay.end()
}

// readStdout passes the first line to go-plugin and discards the rest.
func (r *runner) readStdout(stdout io.Reader) {
	in := bufio.NewReaderSize(stdout, maxHandshake)
	line, _ := in.ReadSlice('\n')
	r.first = bytes.Clone(line)
	if len(line) > 0 {
		_, _ = r.handOver.Write(append(bytes.TrimRight(r.first, "\n"), '\n')) // fails when the process has ended
	}
	_, _ = io.Copy(io.Discard, in)
}

// reap kills what is left of the group and waits for the process. Until cmd.Wait the ids
// cannot be reused for other processes; after it kill sends no signal.
func (r *runner) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	_ = r.cmd.Wait() // the outcome is in cmd.ProcessState
	r.reaped = true
}

func (r *runner) closeHandOver() {
	_ = r.handOver.Close() // a pipe in memory cannot fail
	_ = r.empty.Close()
}

// born marks the process as started, and kills it if kill was called before.
func (r *runner) born() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = true
	if r.killed {
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// Kill is kill, for go-plugin.
func (r *runner) Kill(context.Context) error { return r.kill() }

// kill sends SIGKILL to the process and its group. A process that has not started yet is
// killed when it starts. kill does not wait.
func (r *runner) kill() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reaped {
		return nil
	}
	r.killed = true
	if !r.started {
		return nil
	}
	return syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
}

// Wait waits for done.
func (r *runner) Wait(ctx context.Context) error {
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end kills the process if it still runs and waits for done. It returns false if the
// kernel cannot end the process, e.g. because it hangs in a file system.
func (r *runner) end() bool {
	_ = r.kill()
	select {
	case <-r.done:
		return true
	case <-time.After(unkillable):
		return false
	}
}

// exit describes how the process ended. Call it after done.
func (r *runner) exit() string {
	if r.cmd.ProcessState == nil {
		return "not started"
	}
	return r.cmd.ProcessState.String()
}

// wasKilled reports whether this package killed the process. Call it after done.
func (r *runner) wasKilled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.killed
}

func (r *runner) pid() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.started {
		return 0
	}
	return r.cmd.Process.Pid
}

// ID is the process id, once there is one.
func (r *runner) ID() string {
	if pid := r.pid(); pid > 0 {
		return strconv.Itoa(pid)
	}
	return ""
}

// Name is the path of the binary.
func (r *runner) Name() string { return r.cmd.Path }

// Stdout has only the first line of the process's stdout, which is the handshake.
func (r *runner) Stdout() io.ReadCloser { return r.stdout }

// Stderr is empty: the relay reads it.
func (r *runner) Stderr() io.ReadCloser { return r.stderr }

// Diagnose adds nothing: the supervisor explains failed starts.
func (r *runner) Diagnose(context.Context) string { return "" }

// PluginToHost accepts only a socket in the directory that the node was given.
func (r *runner) PluginToHost(network, addr string) (string, string, error) {
	if network != "unix" || filepath.Dir(addr) != r.dir {
		return "", "", fmt.Errorf("the node listens on %s %q; expected a unix socket in $PLUGIN_UNIX_SOCKET_DIR, %s", network, addr, r.dir)
	}
	return network, addr, nil
}

// HostToPlugin is the identity.
func (r *runner) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		f.Close() // nil and closed files are fine
	}
}
