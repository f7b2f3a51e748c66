// Package examples_test runs what docs/nodes.md and docs/hosts.md show: every command,
// in order, and every piece of code, which stands in the examples.
package examples_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// bin is where the commands of the pages find bin/: tapnode, and the node in bin/nodes.
var bin string

// asSimulator makes the test binary a simulator: whom the phones trust is one per
// process, and every host gets a simulator of its own.
const asSimulator = "EXAMPLES_AS_SIMULATOR"

// patience only ends what hangs: other processes take their time on a busy machine.
const patience = 3 * time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(asSimulator) != "" {
		serveSimulator()
		return
	}
	dir, err := os.MkdirTemp("", "examples-")
	if err != nil {
		panic(err)
	}
	bin = dir
	code := 1
	if err := build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// build is make build.
func build() error {
	for _, cmd := range []*exec.Cmd{
		exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(bin, "tapnode"), "../host"),
		exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(bin, "nodes", "whatsapp-send-buttons"), "../plugin"),
		exec.Command(filepath.Join(bin, "tapnode"), "nodes", "lock", "--nodes", filepath.Join(bin, "nodes")),
	} {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
	}
	return nil
}

// A page is read by its fenced blocks.
type page struct{ blocks []block }

type block struct{ kind, text string }

func read(t *testing.T, name string) page {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	var p page
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$").FindAllStringSubmatch(string(src), -1) {
		p.blocks = append(p.blocks, block{m[1], m[2]})
	}
	return p
}

// code wants every block of code to stand, as it is, in one of the files.
func (p page) code(t *testing.T, kinds []string, files ...string) {
	t.Helper()
	var all strings.Builder
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(src)
	}
	n := 0
	for _, b := range p.blocks {
		for _, kind := range kinds {
			if b.kind != kind {
				continue
			}
			n++
			for _, part := range strings.Split(b.text, "…\n") {
				if !strings.Contains(all.String(), part) {
					t.Errorf("not in %v:\n%s", files, part)
				}
			}
		}
	}
	if n == 0 {
		t.Errorf("the page has no block of %v", kinds)
	}
}

// session runs the commands of the console blocks in one shell, and wants every line of
// output that the page shows. Numbers and ids may differ.
func (p page) session(t *testing.T, dir string, env []string, replace ...string) {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("needs bash")
	}
	var script, shown strings.Builder
	for _, b := range p.blocks {
		if b.kind != "console" {
			continue
		}
		for line := range strings.Lines(b.text) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				script.WriteString(strings.NewReplacer(replace...).Replace(command))
			} else {
				shown.WriteString(line)
			}
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euxo", "pipefail", "-c", script.String())
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	varies := regexp.MustCompile(`3EB0[0-9A-F]+|\br[a-z2-7]{26}\b|[0-9a-f]{12}|[0-9][0-9.:]*`)
	got := varies.ReplaceAllString(string(out), "#")
	for line := range strings.Lines(varies.ReplaceAllString(shown.String(), "#")) {
		if line = strings.TrimSpace(line); !strings.Contains(got, line) {
			t.Errorf("the page shows, and it is not in the output: %s", line)
		}
	}
}

func TestNodesGuide(t *testing.T) {
	p := read(t, "nodes.md")
	t.Run("code", func(t *testing.T) {
		p.code(t, []string{"go", "yaml"}, "nodes/hours/main.go", "nodes/hours/hours.go", "nodes/hours/hours_test.go", "nodes/hours/flow.yaml",
			"../sdk/nodetest/filenode/filenode.go", "../sdk/nodetest/nodetest_test.go", "../sdk/trigger.go")
	})
	t.Run("commands", func(t *testing.T) {
		root, err := filepath.Abs("..")
		if err != nil {
			t.Fatal(err)
		}
		p.session(t, t.TempDir(), []string{
			"TAPNODE=" + root, "RUNTIME_DIRECTORY=" + short(t),
			"GONOSUMDB=*", // what is in the module cache has been checked, and nothing else is asked for
		}, "$TAPNODE/bin", bin)
	})
}

func TestHostsGuide(t *testing.T) {
	p := read(t, "hosts.md")
	p.code(t, []string{"go", "js"}, "hosts/go/main.go", "hosts/javascript/flownode.js", "hosts/javascript/host.js")
	for _, host := range []struct {
		name, first string
		needs       [][]string // commands that work where the host does
	}{
		{"go", "$ go run ", nil},
		{"javascript", "$ npm ci ", [][]string{{"node", "--version"}, {"npm", "ping", "--fetch-retries=0"}}}, // as .ci/setup asks
	} {
		t.Run(host.name, func(t *testing.T) {
			for _, needed := range host.needs {
				if out, err := exec.CommandContext(t.Context(), needed[0], needed[1:]...).CombinedOutput(); err != nil {
					t.Skipf("the host in %s needs %s: %v\n%s", host.name, strings.Join(needed, " "), err, out)
				}
			}
			of := page{slices.DeleteFunc(slices.Clone(p.blocks), func(b block) bool { return !strings.HasPrefix(b.text, host.first) })}
			if len(of.blocks) != 1 {
				t.Fatalf("%d blocks begin with %q, want 1", len(of.blocks), host.first)
			}
			url, rootKey := simulator(t)
			program := filepath.Join(t.TempDir(), "host") // npm writes beside the program
			if err := os.CopyFS(program, os.DirFS("hosts/javascript")); err != nil {
				t.Fatal(err)
			}
			of.session(t, "..", []string{"SIM_URL=" + url, "SIM_ROOT_KEY=" + rootKey, "TMPDIR=" + short(t)},
				"examples/hosts/javascript", program, " bin/", " "+bin+"/")
		})
	}
}

// serveSimulator prints address and root key, and serves until stdin ends.
func serveSimulator() {
	sim, err := wasim.Start(wasim.Options{})
	if err != nil {
		panic(err)
	}
	sim.Trust()
	fmt.Println(sim.URL(), sim.RootKey())
	_, _ = io.Copy(io.Discard, os.Stdin) // any end is the end
	if err := sim.Close(); err != nil {
		panic(err)
	}
}

func simulator(t *testing.T) (url, rootKey string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asSimulator+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the simulator: %v", err)
		}
	})
	if _, err := fmt.Fscanln(stdout, &url, &rootKey); err != nil {
		t.Fatal(err)
	}
	return url, rootKey
}

// short is a directory whose path leaves room for a socket's name.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "x")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
