package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/sdk/nodetest"
)

const simulated = "../../../examples/flows/menu.yaml"

// wantEnvironment runs a command that has to end with exit code 3 and name the path that prevents
// it from working.
func wantEnvironment(t *testing.T, name, path string, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := Main(args, &out, &errs); code != exitEnvironment || !strings.Contains(errs.String(), path) || out.Len() > 0 || errs.Len() > 4096 {
		t.Errorf("%s: tapnode %s: exit code %d\n%.500s\n%.500s", name, strings.Join(args, " "), code, &out, &errs)
	}
}

// TestDamagedFiles: a damaged file of the host stops it with an error that names the file, and
// stays as it is.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	short := shortDir(t)
	for _, in := range nodetest.Hostile() {
		dir := filepath.Join(short, "d")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "nodes.lock")
		if err := os.WriteFile(path, in.Bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		wantEnvironment(t, in.Name, path, "nodes", "--nodes", dir)
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, in.Bytes) {
			t.Errorf("%s: %s was changed", in.Name, path)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDataDirectory: every command that stores something names the directory that it cannot use.
func TestDataDirectory(t *testing.T) {
	t.Parallel()
	short := shortDir(t)
	file := filepath.Join(short, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	places := map[string]string{"a file": file, "below a file": filepath.Join(file, "data"), "in /proc": "/proc/tapnode"}
	if os.Geteuid() != 0 {
		places["not writable"] = filepath.Join(readOnlyDir(t, short), "data")
	}
	if dir, err := mounted(t, "read-only", syscall.MS_RDONLY, ""); err == nil {
		places["read-only"] = filepath.Join(dir, "data")
	} else {
		t.Logf("read-only file system not tried: %v", err)
	}
	for name, dir := range places {
		wantEnvironment(t, name, dir, "run", simulated, "--data", dir)
		wantEnvironment(t, name, dir, "serve", simulated, "--data", dir, "--listen", "127.0.0.1:0")
	}
}

// TestFullDisk: on a full disk nothing starts, and everything works again once something is
// deleted.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir, err := mounted(t, "full", 0, "size=64k")
	if err != nil {
		t.Skipf("needs to mount a small tmpfs: %v", err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	var out, errs bytes.Buffer
	if code := Main([]string{"run", simulated, "--data", dir}, &out, &errs); code != exitEnvironment || !strings.Contains(errs.String(), "no space") {
		t.Errorf("run: %d %s", code, &errs)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if claim, err := app.Claim(dir); err != nil {
		t.Errorf("with room again: %v", err)
	} else {
		_ = claim.Close()
	}
}

// mounted mounts a tmpfs until the test ends, which only root can do.
func mounted(t *testing.T, name string, flags uintptr, options string) (string, error) {
	t.Helper()
	dir := filepath.Join(shortDir(t), name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tapnode-test", dir, "tmpfs", flags, options); err != nil {
		return "", fmt.Errorf("mount: %w", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir, nil
}

func readOnlyDir(t *testing.T, below string) string {
	t.Helper()
	dir := filepath.Join(below, "closed")
	if err := os.Mkdir(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	return dir
}

// shortDir returns a directory whose path is short enough for a socket below it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "te")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
