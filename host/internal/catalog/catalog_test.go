package catalog_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/host/internal/catalog"
	"github.com/tapnode/tapnode/sdk"
)

const manifest = `{"name":"demo","version":"1.2.3","sdkVersion":"0.1.0","operations":[{"id":"demo.echo@1","kind":"ACTION"}]}`

// script writes an executable that runs body in the shell.
func script(t *testing.T, dir, name, body string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func demo(t *testing.T, dir string) (string, catalog.Entry) {
	t.Helper()
	path := script(t, dir, "demo", "echo '"+manifest+"'")
	entry, _, err := catalog.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return path, entry
}

func TestLockSaveLoad(t *testing.T) {
	dir := t.TempDir()
	path, entry := demo(t, dir)
	if entry.Name != "demo" || entry.Version != "1.2.3" || entry.Path != path {
		t.Fatalf("locked %+v", entry)
	}
	file := filepath.Join(dir, catalog.LockName)
	if err := (catalog.Lockfile{Nodes: []catalog.Entry{entry}}).Save(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"path": "demo"`) {
		t.Errorf("the path is not relative to the lock file:\n%s", text)
	}
	lock, err := catalog.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := lock.Find("demo"); !ok || got != entry {
		t.Fatal(cmp.Diff(entry, got))
	}
}

// TestOffersWhatIsWrittenDown: a binary whose manifest is written down beside nodes.lock is not run
// to get it, as long as it is the accepted one.
func TestOffersWhatIsWrittenDown(t *testing.T) {
	dir := t.TempDir()
	path, entry := demo(t, dir)
	_, m, err := catalog.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	nowhere := filepath.Join(dir, "nowhere")
	if _, err := entry.Offers(t.Context(), dir, nowhere); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("nothing is written down, and the binary is not there: %v", err)
	}
	if err := entry.WriteDown(dir, m); err != nil {
		t.Fatal(err)
	}
	got, err := entry.Offers(t.Context(), dir, nowhere)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Error(diff)
	}

	file := filepath.Join(dir, "demo.manifest.json")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"another version": strings.Replace(string(good), "1.2.3", "6.6.6", 1), "not JSON": "{", "nothing": "", "too much": strings.Repeat(" ", 5<<20) + string(good),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := entry.Offers(t.Context(), dir, path); err != nil || got.Version != m.Version {
			t.Errorf("%s: %s, %v", what, got.Version, err)
		}
		if _, err := entry.Offers(t.Context(), dir, nowhere); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: it was believed: %v", what, err)
		}
	}
}

func TestInstallRunsOnlyWhatWasLocked(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	_, entry := demo(t, dir)

	copied, err := entry.Install(state)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(copied.Path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o500 || filepath.Base(copied.Path) != entry.SHA256 {
		t.Errorf("the copy is %s with mode %v", copied.Path, info.Mode())
	}
	if again, err := entry.Install(state); err != nil || again.Path != copied.Path {
		t.Errorf("second Install: %v, %v", again, err)
	}
	if _, err := catalog.Describe(t.Context(), copied.Path); err != nil {
		t.Errorf("the copy does not run: %v", err)
	}

	here := entry
	here.Path = copied.Path
	t.Run("a damaged copy is replaced", func(t *testing.T) {
		if err := os.Remove(copied.Path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied.Path, []byte("#!/bin/sh\n"), 0o500); err != nil {
			t.Fatal(err)
		}
		if _, err := entry.Install(state); err != nil {
			t.Fatal(err)
		}
		if err := here.Verify(); err != nil {
			t.Fatal(err)
		}
	})
	// An unchanged copy is not hashed again. This one is changed but looks unchanged: the same
	// file, size and modification time.
	t.Run("also one that hides it", func(t *testing.T) {
		if err := copied.Ensure(); err != nil {
			t.Fatal(err)
		}
		before, err := os.Stat(copied.Path)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // the timestamps of some file systems are this coarse
		bad := strings.Repeat("#", int(before.Size()))
		if err := errors.Join(os.Chmod(copied.Path, 0o700), os.WriteFile(copied.Path, []byte(bad), 0o700),
			os.Chmod(copied.Path, before.Mode()), os.Chtimes(copied.Path, time.Time{}, before.ModTime())); err != nil {
			t.Fatal(err)
		}
		if after, err := os.Stat(copied.Path); err != nil || !os.SameFile(before, after) || after.ModTime() != before.ModTime() || here.Verify() == nil {
			t.Fatalf("it does not hide it: %v", err)
		}
		if err := errors.Join(copied.Ensure(), here.Verify()); err != nil {
			t.Error(err)
		}
	})
	t.Run("a changed original is refused", func(t *testing.T) {
		script(t, dir, "demo", "echo '"+strings.Replace(manifest, "1.2.3", "6.6.6", 1)+"'")
		_, err := entry.Install(state)
		var mismatch *catalog.MismatchError
		if !errors.As(err, &mismatch) || mismatch.What != "sha256" || mismatch.Want != entry.SHA256 {
			t.Fatalf("got %v", err)
		}
		if !strings.Contains(err.Error(), "tapnode nodes lock --nodes "+dir) {
			t.Errorf("the error does not say how to accept it: %v", err)
		}
	})
	t.Run("also by its size", func(t *testing.T) {
		script(t, dir, "demo", "")
		var mismatch *catalog.MismatchError
		if err := entry.Verify(); !errors.As(err, &mismatch) || mismatch.What != "size" {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("copies nobody needs go", func(t *testing.T) {
		if err := (catalog.Lockfile{}).Prune(state); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(copied.Path); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("the copy is still there: %v", err)
		}
	})
}

func TestAccept(t *testing.T) {
	_, entry := demo(t, t.TempDir())
	m, err := catalog.ParseManifest([]byte("  " + strings.ReplaceAll(manifest, ",", " ,\n")))
	if err != nil {
		t.Fatal(err)
	}
	if err := entry.Accept(m); err != nil {
		t.Errorf("the same manifest, spaced differently: %v", err)
	}
	m.Operations = append(m.Operations, sdk.OperationManifest{ID: "demo.more@1"})
	var mismatch *catalog.MismatchError
	if err := entry.Accept(m); !errors.As(err, &mismatch) || mismatch.What != "manifest" {
		t.Errorf("got %v", err)
	}
}

func TestDescribeIsBounded(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ body, want string }{
		"flood":      {"exec yes", "printed more than 4194304 bytes"},
		"fails":      {"echo no such thing >&2; exit 3", "exit status 3: no such thing"},
		"not JSON":   {"echo hello", "line 1, column 1: not JSON"},
		"no name":    {`echo '{"operations":[{}]}'`, "/name: "},
		"operations": {`echo '{"name":"x"}'`, "/operations: "},
		"wrong type": {`echo '{"name":7}'`, "not a manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := catalog.Describe(t.Context(), script(t, dir, "node", c.body))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

// A binary that hangs is killed with all its descendants, including one that keeps stdout open.
func TestDescribeCanBeCancelled(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	path := script(t, dir, "node", "sleep 1000 3> "+fifo+" & wait")

	reason := errors.New("the user went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	var grandchild *os.File
	go func() {
		grandchild, _ = os.Open(fifo) // blocks until the grandchild has opened it
		cancel(reason)
	}()
	if _, err := catalog.Describe(ctx, path); !errors.Is(err, reason) {
		t.Fatalf("got %v", err)
	}
	defer grandchild.Close()
	if err := grandchild.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := grandchild.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("the grandchild lives: %d, %v", n, err)
	}
}

func TestDiscover(t *testing.T) {
	dir := t.TempDir()
	b, a := script(t, dir, "b", ""), script(t, dir, "a", "")
	script(t, dir, ".hidden", "")
	if err := os.WriteFile(filepath.Join(dir, "README"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := catalog.Discover(dir)
	if diff := cmp.Diff([]string{a, b}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if got, err := catalog.Discover(filepath.Join(dir, "none")); len(got) != 0 || err != nil {
		t.Errorf("no directory: %v, %v", got, err)
	}
}

func TestNotBinaries(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{dir: "not a regular file", plain: "chmod +x", plain + "x": "no such file"} {
		if _, _, err := catalog.Lock(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", path, err, want)
		}
	}
}
