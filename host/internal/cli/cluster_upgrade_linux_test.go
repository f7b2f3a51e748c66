package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// before is the last commit whose hosts do not know each other: its schemas are one migration older, of the runs and of
// the node.
const before = "6df53ab"

// TestClusterUpgrade: a host of the version before works on a Postgres, and this version's begins beside it and migrates
// both databases. The old one goes on with HTTP and runs, and refuses in clear words what it may not send any
// more; a run that it began ends by the new one; once it has ended, it does not come back.
func TestClusterUpgrade(t *testing.T) {
	t.Parallel()
	leftToCrash(t)
	base := startMortalPostgres(t)
	old := buildBefore(t)
	world, err := wasim.Start(wasim.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	})
	world.Trust() // its phones live in this process
	dir := shortDir(t)
	settings := put(t, dir, "settings.json", fmt.Sprintf(`{"whatsapp-send-buttons":{"store":{"dsn":%q}}}`, base.url("node")))
	const token = "0123456789abcdef0123456789abcdef"
	// begin starts a host and reads what it prints until it serves.
	begin := func(program, nodes, data string) (*served, *exec.Cmd, *said) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		t.Cleanup(cancel)
		cmd := exec.CommandContext(ctx, program, "serve", "--simulator", world.URL(), "--settings", settings, "--data", filepath.Join(dir, data),
			"--listen", "127.0.0.1:0", "--nodes", nodes, "../../../examples/flows/reminder.yaml")
		cmd.Args[0] = "tapnode"
		cmd.Env = append(os.Environ(), "TAPNODE_DATABASE="+base.url("runs"), accountTokenEnv+"="+token)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		errs := &said{}
		cmd.Stderr = errs
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s := &served{token: token, lines: bufio.NewScanner(out), said: errs}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // killed, if it had not ended
			if t.Failed() {
				t.Logf("%s says:\n%s", data, errs)
			}
		})
		for s.lines.Scan() {
			if url, ok := strings.CutPrefix(s.lines.Text(), "tapnode serves at "); ok {
				s.url = url
				go s.drain()
				break
			}
		}
		return s, cmd, errs
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	is := func(s *served, text string) func() bool {
		return func() bool {
			a := s.ask(t, token, "GET", "/v1/instances", "")
			return a.status == http.StatusOK && a.at("instances.0.state") == text
		}
	}
	send := func(s *served, text string) answered {
		return s.ask(t, token, "POST", endpoint+"demo", `{"number":"5511999990001","contentText":"`+text+`","buttons":[{"id":"ok","displayText":"OK"}]}`)
	}

	a, process, _ := begin(filepath.Join(old, "tapnode"), filepath.Join(old, "nodes"), "old")
	deadline(t, is(a, "connected"))
	// phone asks the simulator about the customer's.
	phone := func(what, body string) string {
		method := http.MethodPost
		if body == "" {
			method = http.MethodGet
		}
		_, text := (&served{url: world.URL()}).do(t, method, "/sim/v1/phones/5511999990001/"+what, body)
		return text
	}
	shows := func(text string) func() bool {
		return func() bool { return strings.Contains(phone("inbox", ""), text) }
	}
	started := a.ask(t, token, "POST", "/v1/flows/reminder/runs", "{}")
	if started.status != http.StatusCreated {
		t.Fatalf("start: %+v", started)
	}
	run := started.at("run")
	deadline(t, shows("Do you come"))

	b, _, _ := begin(exe, nodesDir, "new")
	deadline(t, is(b, "connected"))
	if got := send(b, "by the new one"); got.status != http.StatusOK {
		t.Errorf("the new host: %+v", got)
	}
	deadline(t, is(a, "replaced"))
	if got := send(a, "by the old one"); got.status == http.StatusOK || got.at("code") != "stale_epoch" {
		t.Errorf("the old host: %+v", got)
	}
	if got := a.ask(t, token, "GET", "/v1/runs/"+fmt.Sprint(run), ""); got.status != http.StatusOK {
		t.Errorf("the old host does not show its run: %+v", got)
	}
	if err := errors.Join(process.Process.Signal(syscall.SIGTERM), process.Wait()); err != nil {
		t.Errorf("the old host did not end in order: %v", err)
	}
	if got := phone("click", `{"buttonId":"yes"}`); !strings.Contains(got, "messageId") {
		t.Fatalf("the tap: %s", got)
	}
	deadline(t, shows("Noted: I come."))
	if shows("by the old one")() {
		t.Error("the old host has sent")
	}
	_, again, says := begin(filepath.Join(old, "tapnode"), filepath.Join(old, "nodes"), "old")
	if err := again.Wait(); err == nil || !strings.Contains(says.String(), "use the newer program") {
		t.Errorf("the old host comes back: %v\n%s", err, says)
	}
}

// buildBefore builds host and node of the version before from this repository.
func buildBefore(t *testing.T) (bin string) {
	t.Helper()
	dir := shortDir(t)
	source, bin := filepath.Join(dir, "source"), filepath.Join(dir, "bin")
	if err := exec.CommandContext(t.Context(), "git", "cat-file", "-e", before+"^{commit}").Run(); err != nil {
		t.Skipf("the repository has no commit %s here", before)
	}
	do := func(in, name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = in, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	if err := os.Mkdir(source, 0o700); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "source.tar")
	do("../../..", "git", "archive", "-o", archive, before)
	do(source, "tar", "xf", archive)
	do(source, "go", "build", "-o", filepath.Join(bin, "tapnode"), "./host")
	do(source, "go", "build", "-o", filepath.Join(bin, "nodes", "whatsapp-send-buttons"), "./plugin")
	do(source, filepath.Join(bin, "tapnode"), "nodes", "lock", "--nodes", filepath.Join(bin, "nodes"))
	return bin
}
