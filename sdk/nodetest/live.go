package nodetest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// live is one running node.
type live struct {
	*client.Client
	rpc nodepb.NodeServiceClient
	dir string // its state directory

	process *process // nil if the node runs in this process
}

// process is a running node binary.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *record // after the handshake line
	stderr *record
	exited chan struct{}
}

// kill ends the process and waits until its output is read, except for output that a grandchild
// still holds open.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.exited
}

// lastWords is how long to wait for the output of a process that has ended, because a grandchild
// may hold it open.
const lastWords = 5 * time.Second

// record keeps what a stream has carried, and can be read while the stream is still open.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// start runs the target on a state directory, without configuring it.
func (s *suite) start(t *testing.T, dir string) *live {
	t.Helper()
	if s.Binary != "" {
		return s.startBinary(t, dir)
	}
	socket := filepath.Join(socketDir(t), "s")
	ctx, cancel := context.WithCancel(context.Background())
	lis, err := new(net.ListenConfig).Listen(ctx, "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- sdk.Serve(ctx, s.Node(), lis) }()
	t.Cleanup(func() {
		cancel()
		if err, ended := await(t, served, s.name()+" hangs: it does not end when it is closed"); ended && err != nil {
			t.Errorf("the node was served until: %v", err)
		}
	})
	return s.dial(t, socket, dir)
}

// open runs the target on a new state directory and configures it.
func (s *suite) open(t *testing.T) *live {
	t.Helper()
	return s.reopen(t, t.TempDir())
}

// reopen runs the target on the state directory of an earlier process and configures it.
func (s *suite) reopen(t *testing.T, dir string) *live {
	t.Helper()
	l := s.start(t, dir)
	if err := l.Configure(bounded(t), s.setup(dir)); err != nil {
		t.Fatalf("configure: %v", err)
	}
	if s.Prepare != nil {
		s.Prepare(t, l.Client, dir)
	}
	return l
}

func (s *suite) setup(dir string) sdk.Setup {
	return sdk.Setup{Settings: s.Settings, Secrets: s.Secrets, StateDir: dir}
}

func (s *suite) startBinary(t *testing.T, dir string) *live {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), s.Binary, s.Args...) // until kill
	cmd.Env = append([]string{
		sdk.HandshakeCookieKey + "=" + sdk.HandshakeCookieValue, sdk.LifelineKey + "=" + sdk.LifelineStdin,
		"PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR=" + socketDir(t),
	}, s.Env...)
	p := &process{cmd: cmd, stdout: &record{}, stderr: &record{}, exited: make(chan struct{})}
	cmd.Stderr = p.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	cmd.WaitDelay = lastWords
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	lines := bufio.NewReader(out)
	_ = out.SetReadDeadline(time.Now().Add(waitLimit)) // pipes support deadlines
	first, err := lines.ReadString('\n')
	_ = out.SetReadDeadline(time.Time{})
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(p.stdout, lines) // until the process ends
		_ = out.Close()
	}()
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // its exit code is in ProcessState
		_ = out.SetReadDeadline(time.Now().Add(lastWords))
		<-read
	}()
	t.Cleanup(p.kill)
	fields := strings.Split(first, "|")
	if err != nil || len(fields) < 5 || fields[0] != "1" || fields[1] != "1" || fields[2] != "unix" || strings.TrimSpace(fields[4]) != "grpc" {
		p.kill()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%s hangs: no handshake line within %v; stderr:\n%s", s.name(), waitLimit, p.stderr)
		}
		t.Fatalf("the handshake line is %q (%v), want 1|1|unix|<path>|grpc; stderr:\n%s", first, err, p.stderr)
	}
	l := s.dial(t, fields[3], dir)
	l.process = p
	return l
}

func (s *suite) dial(t *testing.T, socket, dir string) *live {
	t.Helper()
	options := append(client.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(s.nameHangingCall(t)), grpc.WithStreamInterceptor(s.nameHangingStream(t)))
	conn, err := grpc.NewClient("unix:"+socket, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the node may be gone
	return &live{Client: client.New(conn), rpc: nodepb.NewNodeServiceClient(conn), dir: dir}
}

// socketDir returns a directory with a short path, because the path of a socket must be short.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
