package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// controlName is the control socket in a data directory, or a link that leads to it.
	controlName = "control.sock"
	// maxControlPath is what every system takes as a socket's path, in bytes.
	maxControlPath = 103
)

// ControlSocket is where the host listens for the commands of its owner: in the data
// directory or, where that has too long a path for a socket, in the private directory of the
// nodes' sockets, with a link in the data directory.
func (a *App) ControlSocket() (string, error) {
	name, err := filepath.Abs(filepath.Join(a.opt.DataDir, controlName))
	if err != nil {
		return "", err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a host that was killed
		return "", fmt.Errorf("control socket: %w", err)
	}
	if len(name) <= maxControlPath {
		return name, nil
	}
	short := filepath.Join(a.runDir.Path(), controlName)
	return short, os.Symlink(short, name)
}

// FindControl is the control socket of the host that works in a data directory. There may be
// none, or one of a host that was killed.
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
