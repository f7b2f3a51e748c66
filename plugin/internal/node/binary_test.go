package node

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tapnode/tapnode/internal/buildtest"
	"github.com/tapnode/tapnode/internal/leaktest"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// binaries is the directory in which the real binary is built, once.
var binaries string

var nodeBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaries, "whatsapp-send-buttons")
	return path, buildtest.Program(context.Background(), "plugin", path)
})

func TestMain(m *testing.M) {
	var err error
	if binaries, err = os.MkdirTemp("", "wsb-*"); err != nil {
		panic(err)
	}
	leaktest.Main(m, func(code int) {
		os.RemoveAll(binaries)
		os.Exit(code)
	})
}

func binary(t *testing.T) string {
	t.Helper()
	path, err := nodeBinary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// child is the binary, run as a host runs it but without TLS.
type child struct {
	*client.Client
	cmd   *exec.Cmd
	stdin io.Closer
	log   *bytes.Buffer // to be read after exited
	ended chan struct{}
}

func startChild(t *testing.T) *child {
	t.Helper()
	sockets, err := os.MkdirTemp("", "wsb-") // t.TempDir is too long for a socket's address
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	c := &child{cmd: exec.Command(binary(t)), log: &bytes.Buffer{}, ended: make(chan struct{})}
	c.cmd.Env = []string{sdk.HandshakeCookieKey + "=" + sdk.HandshakeCookieValue, "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR=" + sockets}
	c.cmd.Stderr = c.log
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n') // core|app|network|address|protocol|
	parts := strings.Split(line, "|")
	if err != nil || len(parts) < 5 {
		t.Fatalf("handshake %q: %v", line, err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, out)
		_ = c.cmd.Wait() // it was usually killed
		close(c.ended)
	}()
	conn, err := grpc.NewClient("passthrough:///node", append(client.DialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", parts[3])
		}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		c.kill()
	})
	c.Client = client.New(conn)
	return c
}

// child runs the binary on the world's state, and connects its instance.
func (w *world) child() *child {
	w.t.Helper()
	c := startChild(w.t)
	w.must(c.Configure(w.ctx(), w.setup()))
	_, err := c.Execute(w.ctx(), client.Request{Operation: "whatsapp.instance.connect@1", Input: raw(w.t, named{"shop"})}, nil)
	w.must(err)
	return c
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may be gone already
	<-c.ended
}

func TestDescribeOffline(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(binary(t), "describe")
	cmd.Env = []string{}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var m sdk.Manifest
	if err := json.Unmarshal(out, &m); err != nil || m.Name != "whatsapp-send-buttons" || len(m.Operations) != 15 {
		t.Fatalf("describe: %v, %d operations", err, len(m.Operations))
	}
	menu := m.Operations[0]
	if menu.ID != send.OpButtons || menu.Replay != sdk.Keyed || menu.HTTP.Path != "/api/message/button/{instance}" ||
		len(menu.PortRules) != 1 || menu.PortRules[0].ID != "reply:{id}" || menu.Events[0].Port != "reply:{/button/id}" {
		t.Errorf("sendButtons = %+v", menu)
	}
}
