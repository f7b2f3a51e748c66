package house

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// machine simulates a machine by a directory that is the whole PATH: it has the programs
// that every machine has, and those that a test adds.
type machine struct {
	t   *testing.T
	bin string
}

func newMachine(t *testing.T) *machine {
	m := &machine{t, t.TempDir()}
	for _, name := range []string{"bash", "dirname", "sort", "tail", "cat", "chmod", "find", "mkdir", "mktemp", "rm", "touch"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("this machine has no %s", name)
		}
		if err := os.Symlink(path, filepath.Join(m.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	m.add("go", `if [ "$1" = env ]; then echo cc; else echo "go $*"; fi`)
	m.add("make", `echo "make $*"`)
	m.add("id", `echo 1000`)
	return m
}

func (m *machine) add(name, script string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.bin, name), []byte("#!/usr/bin/env bash\n"+script+"\n"), 0o700); err != nil {
		m.t.Fatal(err)
	}
}

// run runs one of the scripts in .ci on the machine and returns its output and error.
func (m *machine) run(script string, env ...string) (string, error) {
	cmd := exec.CommandContext(m.t.Context(), filepath.Join(root, ".ci", script))
	cmd.Env = append([]string{"PATH=" + m.bin, "TAPNODE_LINKED=" + m.t.TempDir(), "TAPNODE_POSTGRES_BIN=" + m.bin, "CHROMIUM=" + filepath.Join(m.bin, "chromium-headless-shell")}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

const (
	compiler   = "C compiler (the race detector)"
	postgres   = "PostgreSQL"
	javascript = "Node.js, npm and its registry (JavaScript)"
	clients    = "curl and OpenSSL (the clients in sh), Python (the clients in it)"
	servers    = "nginx, Caddy and HAProxy (the recipes for proxies), pgbouncer (hosts through it), systemd-analyze (the unit), buildah (the image)"
	browser    = "Chromium (the page)"
	page       = "npm ci in host/web (the page)"
	rest       = servers + ", " + javascript + ", " + clients + ", " + browser + ", " + page
	all        = compiler + ", " + postgres + ", " + rest
)

// TestSetUp runs .ci/setup on machines that lack something.
func TestSetUp(t *testing.T) {
	have := func(m *machine, programs ...string) {
		for _, name := range programs {
			m.add(name, "exit 0")
		}
	}
	server, js := []string{"initdb", "pg_ctl"}, []string{"node", "npm"}
	deploy := []string{"nginx", "caddy", "haproxy", "pgbouncer", "systemd-analyze", "buildah"}
	tools := []string{"curl", "openssl", "python3", "chromium-headless-shell"}
	everything := slices.Concat([]string{"cc"}, server, deploy, js, tools)
	// apt adds an apt-get that checks how it is called and installs the given programs.
	apt := func(m *machine, brings ...string) {
		script := `[ "$DEBIAN_FRONTEND" = noninteractive ] || exit 1; [ "$1" = install ] || exit 0; echo "apt $*";`
		for _, name := range brings {
			script += fmt.Sprintf(` printf '#!/usr/bin/env bash\nexit 0\n' >%[1]s/%[2]s; chmod 700 %[1]s/%[2]s;`, m.bin, name)
		}
		m.add("apt-get", script)
		m.add("id", "echo 0")
	}
	for _, c := range []struct {
		name   string
		of     func(*machine)
		missed string
		says   string
	}{
		{"nothing and no right to install", func(m *machine) { m.add("apt-get", "echo apt is called; exit 1") }, all, ""},
		{"root without apt", func(m *machine) { m.add("id", "echo 0") }, all, ""},
		{"a compiler that does not compile", func(m *machine) { have(m, everything...); m.add("cc", "exit 1") }, compiler, ""},
		{"no PostgreSQL", func(m *machine) { have(m, "cc"); have(m, deploy...); have(m, js...); have(m, tools...) }, postgres, ""},
		{"no registry", func(m *machine) { have(m, everything...); m.add("npm", `[ "$1" != ping ]`) }, javascript + ", " + page, ""},
		{"npm without Node.js", func(m *machine) { have(m, "cc", "npm"); have(m, deploy...); have(m, server...); have(m, tools...) }, javascript + ", " + page, ""},
		{"nothing to deploy with", func(m *machine) { have(m, "cc"); have(m, server...); have(m, js...); have(m, tools...) }, servers, ""},
		{"nothing for clients", func(m *machine) { have(m, "cc"); have(m, server...); have(m, deploy...); have(m, js...) }, clients + ", " + browser, ""},
		{"everything", func(m *machine) { have(m, everything...) }, "nothing", ""},
		{
			"apt brings all", func(m *machine) { apt(m, everything...) }, "nothing",
			"apt install -y -qq --no-install-recommends gcc libc6-dev postgresql nginx-light caddy haproxy pgbouncer systemd buildah nodejs npm curl openssl python3 chromium-headless-shell\n",
		},
		{
			"apt brings one", func(m *machine) { have(m, "cc"); have(m, deploy...); have(m, js...); have(m, tools...); apt(m) }, postgres,
			"apt install -y -qq --no-install-recommends postgresql\n",
		},
		{"apt fails", func(m *machine) { m.add("apt-get", "exit 100"); m.add("id", "echo 0") }, all, "apt-get did not install them"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			c.of(m)
			out, err := m.run("setup")
			if err != nil || lastLine(out) != "missing: "+c.missed || !strings.Contains(out, c.says) {
				t.Errorf("it ends with %v and says:\n%s\nwant %q and at last that %s is missing", err, out, c.says, c.missed)
			}
			if strings.Contains(out, "apt is called") {
				t.Error("it tried to install without the right to")
			}
		})
	}
	t.Run("a server that is given", func(t *testing.T) {
		m := newMachine(t)
		if out, err := m.run("setup", "TAPNODE_TEST_POSTGRES=host=/somewhere"); err != nil || lastLine(out) != "missing: "+compiler+", "+rest {
			t.Errorf("%v:\n%s", err, out)
		}
	})
}

// TestLeftOut runs .ci/test on a machine that lacks every tool: it passes, and its last
// line says what it left out; in CI it fails and says what is missing.
func TestLeftOut(t *testing.T) {
	m := newMachine(t)
	out, err := m.run("test")
	if want := "All tests passed. Left out for want of a tool: " + all; err != nil || lastLine(out) != want {
		t.Errorf("it ends with %v and says:\n%s\nwant at last: %s", err, out, want)
	}
	if strings.Contains(out, "-race") || !strings.Contains(out, "go test ") || !strings.Contains(out, " crash-left") {
		t.Errorf("it does not run the tests without the race detector, and the crashes:\n%s", out)
	}
	if out, err = m.run("test", "CI=true"); err == nil || lastLine(out) != "missing: "+all || strings.Contains(out, "go test") {
		t.Errorf("in CI it ends with %v and says:\n%s", err, out)
	}
	m.add("cc", "exit 0")
	if out, err = m.run("test"); err != nil || !strings.Contains(out, "-race") || !strings.HasSuffix(lastLine(out), ": "+postgres+", "+rest) {
		t.Errorf("with a compiler it ends with %v and says:\n%s", err, out)
	}
	for _, name := range []string{"go", "make"} {
		m := newMachine(t)
		m.add(name, "exit 1")
		if out, err := m.run("test"); err == nil || strings.Contains(out, "All tests passed") {
			t.Errorf("when %s fails it ends with %v and says:\n%s", name, err, out)
		}
	}
}

// TestRacesOfOthers runs .ci/test with a program in which the race detector finds a race, but whose exit
// code nobody sees, because a test kills it.
func TestRacesOfOthers(t *testing.T) {
	m := newMachine(t)
	m.add("cc", "exit 0")
	m.add("go", `if [ "$1" = env ]; then echo cc; elif [ "$1" = test ]; then echo "a race" > "${GORACE##*log_path=}.$$"; fi`)
	if out, err := m.run("test"); err == nil || !strings.Contains(out, "a race") || strings.Contains(out, "All tests passed") {
		t.Errorf("it ends with %v and says:\n%s", err, out)
	}
}

// TestCrashesThatFail checks that "make crash" fails when its tests fail, although their
// output goes through a filter.
func TestCrashesThatFail(t *testing.T) {
	m := newMachine(t)
	for _, name := range []string{"make", "grep"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("this machine has no %s", name)
		}
		if err := os.Remove(filepath.Join(m.bin, name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(m.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	crash := func() (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(m.bin, "make"), "-C", root, "crash")
		cmd.Env = []string{"PATH=" + m.bin}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := crash(); err != nil || !strings.Contains(out, "TestChaos") {
		t.Errorf("with tests that pass: %v\n%s", err, out)
	}
	m.add("go", `case "$*" in *TestChaos*) echo FAIL; exit 1;; esac`)
	if out, err := crash(); err == nil || !strings.Contains(out, "FAIL") {
		t.Errorf("with tests that fail it passes:\n%s", out)
	}
}
