package cli

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestReadmeKill types the README's session in which the host is killed, word by word, into three
// shells. Only its ports differ, and … matches anything.
func TestReadmeKill(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```console\n(1\\$ .*?)```").FindSubmatch(src)
	if block == nil {
		t.Fatal("the README has no session of several terminals")
	}
	simulator, host := freeAddress(t), freeAddress(t)
	page := strings.NewReplacer("127.0.0.1:8090", simulator, "127.0.0.1:8080", host,
		"bin/tapnode simulate", "bin/tapnode simulate --listen "+simulator, "bin/tapnode serve", "bin/tapnode serve --listen "+host).Replace(string(block[1]))
	if terminals := typeSession(t, demoDir(t), page); len(terminals) != 3 {
		t.Errorf("the session has %d terminals", len(terminals))
	}
}

// typeSession types a session of several terminals. "1$ " before a line marks a command in the
// first terminal, "2> " what the second one then shows; a line without a mark is what the last
// command shows.
func typeSession(t *testing.T, dir, page string) map[string]*terminal {
	t.Helper()
	terminals := map[string]*terminal{}
	at, said := "", ""
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		switch name, command, typed := strings.Cut(line, "$ "); {
		case typed && len(name) == 1:
			if said == "" && at != "" {
				terminals[at].ended(t)
			}
			if at, said = name, ""; terminals[at] == nil {
				terminals[at] = openTerminal(t, dir)
			}
			terminals[at].enter(t, command)
		case len(line) > 3 && line[1:3] == "> ":
			terminals[line[:1]].shows(t, line[3:])
		default:
			said = line
			terminals[at].shows(t, line)
		}
	}
	return terminals
}

// freeAddress returns an address on which nobody listens and that nobody gets without naming it: a
// system assigns higher ports to programs that take any.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if l, err := net.Listen("tcp", address); err == nil { //nolint:noctx // at once
			_ = l.Close() // another program will listen on it
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// demoDir looks like the repository after make build.
func demoDir(t *testing.T) string {
	t.Helper()
	dir := shortDir(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs("../../../examples")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"bin/tapnode": exe, "examples": examples} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// terminal is a shell for typing commands into.
type terminal struct {
	in    io.Writer
	out   said
	since int    // where the output of the last command begins
	last  string // command
	count int    // of commands
}

func openTerminal(t *testing.T, dir string) *terminal {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc")
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	x := &terminal{}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	x.in, cmd.Stdout, cmd.Stderr = in, &x.out, &x.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Cancel()
		_ = cmd.Wait() // killed
		if t.Failed() {
			t.Logf("a terminal shows:\n%s", x.out.String())
		}
	})
	return x
}

// enter types a command. The shell reports when the command has ended.
func (x *terminal) enter(t *testing.T, command string) {
	t.Helper()
	if x.count > 0 {
		x.ended(t)
	}
	x.count++
	x.last, x.since = command, len(x.out.String())
	if _, err := fmt.Fprintf(x.in, "%s\necho %s\n", command, x.mark()); err != nil {
		t.Fatal(err)
	}
}

func (x *terminal) mark() string { return fmt.Sprintf("--%d--", x.count) }

func (x *terminal) done() bool { return strings.Contains(x.out.String(), x.mark()) }

// ended waits until the last command has ended.
func (x *terminal) ended(t *testing.T) {
	t.Helper()
	deadline(t, x.done)
}

// shows waits until the last command shows a line. Since a phone may show a message late, it
// repeats a command that looks at one.
func (x *terminal) shows(t *testing.T, line string) {
	t.Helper()
	parts := strings.Split(line, "…")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	pattern := regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
	deadline(t, func() bool {
		out := []byte(x.out.String()[x.since:])
		if slices.ContainsFunc(bytes.Split(out, []byte("\n")), pattern.Match) {
			return true
		}
		if strings.Contains(x.last, "/inbox") && x.done() {
			x.enter(t, x.last)
		}
		return false
	})
}
