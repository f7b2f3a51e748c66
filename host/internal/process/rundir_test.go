package process

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunDirGoesWhereItMay(t *testing.T) {
	dir := shortDir(t)
	for name, c := range map[string]struct{ runtime, xdg, want string }{
		"systemd":       {dir + "/rt:" + dir + "/other", dir + "/xdg", dir + "/rt"},
		"session":       {"", dir + "/xdg", dir + "/xdg/tapnode"},
		"state":         {"", "", dir + "/state/run"},
		"unusable ones": {"/dev/null/x", dir + "/" + strings.Repeat("long", 20), dir + "/state/run"},
		"all too long":  {dir + "/" + strings.Repeat("long", 20), "", shortBase},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("RUNTIME_DIRECTORY", c.runtime)
			t.Setenv("XDG_RUNTIME_DIR", c.xdg)
			state := dir + "/state"
			if name == "all too long" { // the path of a data directory may be this long
				state = dir + "/" + strings.Repeat("x", maxRunBase)
			}
			d, err := OpenRunDir(state)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if got := filepath.Dir(d.Path()); got != c.want {
				t.Errorf("it is in %s, want %s", got, c.want)
			}
			if info, err := os.Stat(d.Path()); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

func TestRunDirSaysWhyThereIsNone(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", "")
	t.Setenv("XDG_RUNTIME_DIR", "")
	short, dir := shortBase, shortDir(t)
	defer func() { shortBase = short }()
	long := dir + "/" + strings.Repeat("x", maxRunBase)
	for name, take := range map[string]func(path string) error{
		"a link":              func(path string) error { return os.Symlink(dir, path) },
		"a file":              func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"open to others":      func(path string) error { return errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, 0o777)) },
		"readable for others": func(path string) error { return errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, 0o755)) },
	} {
		shortBase = dir + "/" + strings.ReplaceAll(name, " ", "-")
		if err := take(shortBase); err != nil {
			t.Fatal(err)
		}
		_, err := OpenRunDir(long)
		if err == nil || !strings.Contains(err.Error(), "leaves room for") || !strings.Contains(err.Error(), shortBase) || !strings.Contains(err.Error(), "set RUNTIME_DIRECTORY") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestRunDirSweepsTheDead(t *testing.T) {
	base := shortDir(t)
	living, err := openRunDirIn(base)
	if err != nil {
		t.Fatal(err)
	}
	defer living.Close()
	dead, err := openRunDirIn(base)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dead.Path()+"/plugin-dir1", 0o700); err != nil {
		t.Fatal(err)
	}
	dead.lock.Close() // as the kernel does when a host dies

	next, err := openRunDirIn(base)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if _, err := os.Stat(dead.Path()); !os.IsNotExist(err) {
		t.Errorf("the dead host's directory is there: %v", err)
	}
	if _, err := os.Stat(living.Path()); err != nil {
		t.Errorf("the living host's directory: %v", err)
	}
}
