package sdk_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// underShell starts a node whose parent is a shell that only waits for it, and whose stdin carries
// nothing. When the node ends, its stdout ends.
func underShell(t *testing.T) (shell *exec.Cmd, stdout *bufio.Reader) {
	t.Helper()
	shell = exec.CommandContext(within(t), "/bin/sh", "-c", `"$0" </dev/null & wait`, os.Args[0])
	shell.Env = []string{sdk.HandshakeCookieKey + "=" + sdk.HandshakeCookieValue, "PLUGIN_UNIX_SOCKET_DIR=" + shortDir(t)}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	return shell, bufio.NewReader(out)
}

// A node ends with the process that started it, whatever its stdin is.
func TestEndsWithItsParent(t *testing.T) {
	shell, stdout := underShell(t)
	if line, err := stdout.ReadString('\n'); err != nil {
		t.Fatalf("handshake %q, %v", line, err)
	}
	pids, err := exec.Command("pgrep", "-P", strconv.Itoa(shell.Process.Pid)).Output()
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(pids)))
	if err != nil || convErr != nil {
		t.Skipf("pgrep finds no single child: %q %v", pids, err)
	}
	if err := shell.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = shell.Wait() // killed
	for end := time.Now().Add(testTimeout); syscall.Kill(pid, 0) == nil && !zombie(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the node lives on without its host")
		}
	}
}

func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// A host that dies before the handshake, so early that the node never saw it as its parent, is
// noticed because nobody reads the handshake.
func TestEndsWhenNobodyTakesTheHandshake(t *testing.T) {
	cmd := exec.CommandContext(within(t), os.Args[0])
	cmd.Env = []string{sdk.HandshakeCookieKey + "=" + sdk.HandshakeCookieValue, "PLUGIN_UNIX_SOCKET_DIR=" + shortDir(t)}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	cmd.Stdout = w
	err = cmd.Run()
	_ = w.Close()
	if err != nil {
		t.Errorf("%v, want an orderly end", err)
	}
}

// A host that does not read stderr, or has closed it, neither blocks nor ends the node.
func TestStderrThatNobodyReads(t *testing.T) {
	for _, closed := range []bool{false, true} {
		t.Run("closed "+strconv.FormatBool(closed), func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd := exec.CommandContext(within(t), os.Args[0])
			cmd.Env = []string{sdk.HandshakeCookieKey + "=" + sdk.HandshakeCookieValue, "PLUGIN_UNIX_SOCKET_DIR=" + shortDir(t)}
			cmd.Stderr = w
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_ = w.Close()
			if closed {
				_ = r.Close()
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			fields := strings.Split(line, "|")
			if err != nil || len(fields) < 5 {
				t.Fatalf("handshake %q, %v", line, err)
			}
			conn, err := grpc.NewClient("unix:"+fields[3], grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			c := client.New(conn)
			if err := c.Configure(within(t), sdk.Setup{Settings: []byte(`{"name":"x"}`), StateDir: t.TempDir()}); err != nil {
				t.Fatal(err)
			}
			for range 200 { // far more than a pipe holds
				if _, err := c.Execute(within(t), behave("panic"), nil); wantProblem(t, err).Code != "panic" {
					t.Fatal(err)
				}
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, out)
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v, want exit code 0", err)
			}
		})
	}
}

// Two processes never share a state directory. The second one gets it when the first has ended, in
// whatever way.
func TestStateDirectoryHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	setup := sdk.Setup{Settings: []byte(`{"name":"x"}`), StateDir: dir}
	_, first := serve(t)
	if err := first.Configure(within(t), setup); err != nil {
		t.Fatal(err)
	}
	_, second := serve(t)
	p := wantProblem(t, second.Configure(within(t), setup))
	if v := p.Violations[0]; v.Code != "state_dir_in_use" || !strings.Contains(v.Message, strconv.Itoa(os.Getpid())) || v.Suggestion == "" {
		t.Errorf("got %+v", v)
	}
	waiting := make(chan error)
	go func() { waiting <- second.Configure(within(t), setup) }()
	if err := first.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; err != nil {
		t.Errorf("after the first has closed: %v", err)
	}
}

func TestStateDirectoryIsRequired(t *testing.T) {
	for dir, want := range map[string]string{"": "state_dir_missing", "relative/path": "state_dir_unusable", "/dev/null/x": "state_dir_unusable"} {
		_, c := serve(t)
		p := wantProblem(t, c.Configure(within(t), sdk.Setup{Settings: []byte(`{"name":"x"}`), StateDir: dir}))
		if p.Violations[0].Code != want {
			t.Errorf("%q: got %+v, want %s", dir, p.Violations, want)
		}
	}
}

// shortDir returns a directory whose path leaves room for the name of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sdk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
