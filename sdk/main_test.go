package sdk_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// command runs this test binary as the demo node, without a host.
func command(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return commandOf(t, "1", args...)
}

func commandOf(t *testing.T, node string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(within(t), os.Args[0], args...)
	cmd.Env = []string{asNode + "=" + node}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestCommands(t *testing.T) {
	tests := []struct {
		args           []string
		stdout, stderr string // a part of the output
		code           int
	}{
		{[]string{"version"}, "demo 1.2.3 (sdk " + sdk.Version + ", contract flownode.v1)", "", 0},
		{[]string{"help"}, "usage:", "", 0},
		{[]string{"--help"}, "demo describe", "", 0},
		{nil, "", "the host starts it by itself", 2},
		{[]string{"dance"}, "", `there is no command "dance"`, 2},
	}
	for _, tt := range tests {
		stdout, stderr, code := command(t, tt.args...)
		if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
			t.Errorf("%v: exit %d\nstdout %s\nstderr %s", tt.args, code, stdout, stderr)
		}
	}
}

// TestBrokenNodeIsNotDescribed: describe refuses a broken node, so a host, which asks for the
// description, does not accept it.
func TestBrokenNodeIsNotDescribed(t *testing.T) {
	stdout, stderr, code := commandOf(t, brokenNode, "describe")
	if code != 1 || stdout != "" || !strings.Contains(stderr, "demo: this node is built wrongly: settings schema: ") {
		t.Errorf("exit %d\nstdout %s\nstderr %s", code, stdout, stderr)
	}
}

func TestDescribeCommandSaysWhatDescribeSays(t *testing.T) {
	stdout, _, code := command(t, "describe")
	var offline sdk.Manifest
	if err := json.Unmarshal([]byte(stdout), &offline); err != nil || code != 0 {
		t.Fatalf("exit %d, %v", code, err)
	}
	_, c := serve(t)
	online, err := c.Describe(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain(t, online), plain(t, offline)); diff != "" {
		t.Error(diff)
	}
	if got := string(online.Operations[0].Input); got != doingSchema {
		t.Errorf("the schema is not byte for byte the author's: %s", got)
	}
}

// plain returns a manifest without the white space of its schemas.
func plain(t *testing.T, m sdk.Manifest) string {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestServesAStockHost(t *testing.T) {
	var log bytes.Buffer
	config := client.PluginConfig(exec.Command(os.Args[0]))
	config.Logger = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace})
	host := plugin.NewClient(config)
	defer host.Kill()
	c, err := client.Dispense(host)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Describe(within(t))
	if err != nil || m.Name != "demo" {
		t.Fatalf("%+v, %v", m, err)
	}
	if err := c.Configure(within(t), sdk.Setup{Settings: []byte(`{"name":"x"}`), StateDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	big := append(append([]byte(`{"a":"`), bytes.Repeat([]byte("a"), 10<<20)...), `"}`...)
	got, err := c.Execute(within(t), client.Request{Operation: "demo.raw@1", Input: big}, nil)
	if err != nil || !bytes.Equal(got.Output, big) {
		t.Fatalf("10 MiB there and back: %d bytes, %v", len(got.Output), err)
	}
	if _, err := c.Execute(within(t), behave("panic"), nil); wantProblem(t, err).Code != "panic" {
		t.Error(err)
	}
	host.Kill()
	if !host.Exited() {
		t.Error("it lives on")
	}
	if !strings.Contains(log.String(), "panic in demo.behave@1") {
		t.Errorf("go-plugin does not understand the log:\n%s", log.String())
	}
}

// process starts a node by hand and reads its handshake line.
func process(t *testing.T) (cmd *exec.Cmd, stdin io.Closer, stdout *bufio.Reader, socket string) {
	t.Helper()
	dir := shortDir(t)
	cmd = exec.CommandContext(within(t), os.Args[0])
	cmd.Env = []string{sdk.HandshakeCookieKey + "=" + sdk.HandshakeCookieValue, sdk.LifelineKey + "=" + sdk.LifelineStdin, "PLUGIN_UNIX_SOCKET_DIR=" + dir}
	cmd.Stderr = new(bytes.Buffer)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdout = bufio.NewReader(out)
	line, err := stdout.ReadString('\n')
	fields := strings.Split(line, "|")
	if err != nil || len(fields) < 5 {
		t.Fatalf("handshake %q, %v", line, err)
	}
	return cmd, in, stdout, fields[3]
}

func TestOnlyTheHandshakeReachesStdout(t *testing.T) {
	cmd, stdin, stdout, socket := process(t)
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := client.New(conn).Configure(within(t), sdk.Setup{Settings: []byte(`{"name":"x"}`), StateDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(stdout); err != nil || len(rest) != 0 {
		t.Errorf("stdout goes on with %q, %v", rest, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	log := cmd.Stderr.(*bytes.Buffer).String()
	for _, noise := range []string{"noise by fmt", "noise by a kept stdout", "noise by descriptor"} {
		if !strings.Contains(log, noise) {
			t.Errorf("stderr has no %q:\n%s", noise, log)
		}
	}
}

func TestProcessEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(*exec.Cmd, io.Closer) error
	}{
		{"stdin closes", func(_ *exec.Cmd, stdin io.Closer) error { return stdin.Close() }},
		{"SIGTERM", func(cmd *exec.Cmd, _ io.Closer) error { return cmd.Process.Signal(syscall.SIGTERM) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd, stdin, stdout, socket := process(t)
			if err := cmd.Process.Signal(os.Interrupt); err != nil { // must have no effect
				t.Fatal(err)
			}
			if err := tt.end(cmd, stdin); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(stdout)
			if err != nil || len(rest) != 0 {
				t.Errorf("stdout goes on with %q, %v", rest, err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v, want exit code 0", err)
			}
			if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the socket is left behind (%v)", err)
			}
		})
	}
}
