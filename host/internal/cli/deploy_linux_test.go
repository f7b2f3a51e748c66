package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tapnode/tapnode/internal/buildtest"
)

// TestDeployPage types the session of docs/deploy.md, below a root directory of the test, and makes
// systemd check the unit there.
func TestDeployPage(t *testing.T) {
	t.Parallel()
	needs(t, "systemd-analyze")
	page, err := os.ReadFile("../../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := consoleCommands(page)
	if len(commands) < 9 {
		t.Fatalf("found only %d commands on the page", len(commands))
	}
	root, dir := shortDir(t), demoDir(t)
	for name, target := range map[string]string{"deploy": "../../../deploy", "bin/nodes": nodesDir} {
		target, err := filepath.Abs(target)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	here := strings.NewReplacer("/usr/local/", root+"/usr/local/", "/etc/", root+"/etc/")
	for _, line := range commands {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", here.Replace(line))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "TAPNODE_NODES=", "PATH="+filepath.Join(root, "usr/local/bin")+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if strings.Contains(line, "verify") && err == nil && len(out) > 0 {
			err = fmt.Errorf("it has something to say")
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		for _, name := range []string{"tapnode.service", "tapnode.yaml"} { // the files name paths, too
			installed, _ := filepath.Glob(filepath.Join(root, "etc/*", name))
			more, _ := filepath.Glob(filepath.Join(root, "etc/*/*", name))
			for _, file := range append(installed, more...) {
				raw, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(string(raw), root) {
					if err := os.WriteFile(file, []byte(here.Replace(string(raw))), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	if info, err := os.Stat(filepath.Join(root, "etc/tapnode/account-token")); err != nil || info.Mode().Perm() != 0o600 || info.Size() < 33 {
		t.Errorf("the token: %v %v", info, err)
	}
}

// TestContainer builds the Containerfile on a stand-in for its base, and serves from the result: as
// the image's user, on a read-only root.
func TestContainer(t *testing.T) {
	t.Parallel()
	buildah := needs(t, "buildah")
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount the image")
	}
	dir := shortDir(t)
	context := filepath.Join(dir, "context")
	run := func(args ...string) string {
		t.Helper()
		args = append([]string{"--root", filepath.Join(dir, "store"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs"}, args...)
		cmd := exec.CommandContext(t.Context(), buildah, args...)
		cmd.Dir = context
		cmd.Stderr = t.Output()
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	for _, name := range []string{"bin/nodes", "nonroot", "tmp", "proc", "dev"} {
		if err := os.MkdirAll(filepath.Join(context, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := buildtest.Program(t.Context(), "host", filepath.Join(context, "bin/tapnode")); err != nil {
		t.Fatal(err)
	}
	nodes, err := os.ReadDir(nodesDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		raw, err := os.ReadFile(filepath.Join(nodesDir, n.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(context, "bin/nodes", n.Name()), raw, 0o755) //nolint:gosec // a program
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile("../../../Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	put(t, context, "Containerfile", string(file))
	base := put(t, context, "base", "FROM scratch\nCOPY --chown=65532:65532 nonroot /home/nonroot\nCOPY tmp /tmp\nCOPY proc /proc\nCOPY dev /dev\n")
	run("build", "-f", base, "-t", "base", ".")
	run("build", "--build-arg", "BASE=localhost/base", "-f", filepath.Join(context, "Containerfile"), "-t", "tapnode", ".")
	container := run("from", "localhost/tapnode")
	if says := run("inspect", "--format", "{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Cmd}} {{.OCIv1.Config.Env}} {{.OCIv1.Config.Volumes}}", container); !strings.HasPrefix(says, "65532:65532 [/usr/local/bin/tapnode] [serve] [") ||
		!strings.Contains(says, "TAPNODE_DATA=/home/nonroot/tapnode TAPNODE_LISTEN=:8080") || !strings.Contains(says, "/home/nonroot:") {
		t.Errorf("the image's configuration: %s", says)
	}
	image := run("mount", container)
	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	mount := func(source, at, kind string, flags uintptr) {
		t.Helper()
		if err := syscall.Mount(source, at, kind, flags, ""); err != nil {
			t.Skipf("needs to mount: %v", err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(at, syscall.MNT_DETACH) })
	}
	mount(image, root, "", syscall.MS_BIND)
	if err := syscall.Mount("", root, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"proc", "dev"} { // as every container runtime does
		mount("/"+name, filepath.Join(root, name), "", syscall.MS_BIND)
	}
	mount("tapnode-test", filepath.Join(root, "tmp"), "tmpfs", 0)
	volume := filepath.Join(dir, "volume")
	if err := os.Mkdir(volume, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(volume, 65532, 65532); err != nil {
		t.Fatal(err)
	}
	mount(volume, filepath.Join(root, "home/nonroot"), "", syscall.MS_BIND)
	if err := os.WriteFile(filepath.Join(root, "written"), nil, 0o600); err == nil {
		t.Fatal("the root can be written")
	}

	_, port, _ := strings.Cut(freeAddress(t), ":")
	const token = "0123456789abcdef0123456789abcdef"
	cmd := exec.CommandContext(t.Context(), "/usr/local/bin/tapnode", "serve", "--simulate")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}, Pdeathsig: syscall.SIGKILL}
	cmd.Env = []string{"TAPNODE_DATA=/home/nonroot/tapnode", "TAPNODE_LISTEN=0.0.0.0:" + port, "TAPNODE_HOST=" + publicName, "TAPNODE_BEHIND_PROXY=127.0.0.1", accountTokenEnv + "=" + token}
	out := &said{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &served{url: "http://127.0.0.1:" + port, token: token}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the container says:\n%s", out)
		}
	})
	deadline(t, func() bool { return strings.Contains(out.String(), "tapnode serves at ") })
	deadline(t, func() bool { // the node has started, too
		a := s.ask(t, token, "GET", "/api/instance/list", "")
		return a.status == 200 && a.at("instances.0.connection.state") == "connected"
	})
	if err := cmd.Cancel(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v\n%s", err, out)
	}
}
