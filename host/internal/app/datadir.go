package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// ErrInUse means that another host works in the data directory.
var ErrInUse = errors.New("the data directory is in use")

// Claim creates the data directory with mode 0700 and keeps every other host out of it until the
// returned lock is closed or this process ends, however it ends. Call it before Installation, which
// removes binaries that a running host may need.
func Claim(dir string) (*flock.Flock, error) {
	if err := makeDataDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "lock")
	lock := flock.New(path, flock.SetPermissions(0o600))
	ours, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if !ours {
		holder, _ := os.ReadFile(path) // the number only helps to find the process
		return nil, fmt.Errorf("%w: another tapnode, process %.20s, works in %s; stop it, or choose another directory with --data",
			ErrInUse, bytes.TrimSpace(holder), dir)
	}
	if err := os.WriteFile(path, fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data directory: %w", err), lock.Close())
	}
	return lock, nil
}

func makeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data directory %s: %w", dir, err)
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a directory needs its x
		return fmt.Errorf("data directory %s: %w", dir, err)
	}
	return nil
}

// The two worlds a data directory can belong to.
const (
	genuine   = "real"
	simulated = "simulated"
)

// PinWorld ties a data directory to the real WhatsApp or to a simulated one, whichever
// uses it first. Sessions of one must never be offered to the other: WhatsApp would see
// logins of devices it does not know, and a simulator would make the node forget real ones.
// Call it under [Claim].
func PinWorld(dir string, simulation bool) error {
	mine, other := genuine, "--simulate"
	if simulation {
		mine, other = simulated, "the real WhatsApp"
	}
	path := filepath.Join(dir, "world")
	was, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.WriteFile(path, []byte(mine+"\n"), 0o600); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("data directory: %w", err)
	case strings.TrimSpace(string(was)) != mine:
		return fmt.Errorf("%s belongs to a host that used %s; choose another --data", dir, other)
	}
	return nil
}

const (
	// controlName is the control socket in a data directory, or a link that leads to it.
	controlName = "control.sock"
	// maxControlPath is the longest path of a socket that every system accepts, in bytes.
	maxControlPath = 103
)

// ControlSocket returns the path of the socket on which the host listens for its owner's commands:
// in the data directory or, if that path is too long for a socket, in the private directory of the
// nodes' sockets, with a link in the data directory.
func (a *App) ControlSocket() (string, error) {
	name, err := filepath.Abs(filepath.Join(a.opt.DataDir, controlName))
	if err != nil {
		return "", err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // left behind by a host that was killed
		return "", fmt.Errorf("control socket: %w", err)
	}
	if len(name) <= maxControlPath {
		return name, nil
	}
	short := filepath.Join(a.runDir.Path(), controlName)
	return short, os.Symlink(short, name)
}

// FindControl returns the path of the control socket of the host that works in a data directory.
// The socket may be missing, or left behind by a host that has crashed.
func FindControl(dataDir string) (string, error) {
	name, err := filepath.Abs(filepath.Join(dataDir, controlName))
	if err != nil {
		return "", err
	}
	if led, err := os.Readlink(name); err == nil {
		return led, nil
	}
	return name, nil
}
