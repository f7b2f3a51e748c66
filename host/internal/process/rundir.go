package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
)

// A unix socket's path may have 107 bytes on Linux and 103 on the BSDs. To the path of a
// RunDir go-plugin appends "/plugin-dir<10 digits>/plugin<10 digits>".
const (
	maxSocketPath = 103
	belowRunDir   = len("/plugin-dir") + 10 + len("/plugin") + 10
	ownDir        = len("/h-") + 10
	maxRunBase    = maxSocketPath - belowRunDir - ownDir
)

// shortBase is the directory for sockets if no better one is usable, mostly because their
// paths are too long. It is the last choice, because another user may have taken the name
// and systems clean up /tmp. A node's connection survives the removal of its socket.
var shortBase = fmt.Sprintf("/tmp/tapnode-%d", os.Getuid())

// RunDir is the directory for the sockets of one host's nodes. It has mode 0700 and
// contains one directory per start.
type RunDir struct {
	path string
	lock *flock.Flock
}

// OpenRunDir makes a RunDir in the first usable one of $RUNTIME_DIRECTORY (systemd),
// $XDG_RUNTIME_DIR/tapnode, stateDir/run and /tmp/tapnode-<uid>, and removes the RunDirs
// that dead hosts left there. Several hosts may share the place. The error names every
// place tried.
func OpenRunDir(stateDir string) (*RunDir, error) {
	var bases []string
	if d, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":"); d != "" {
		bases = append(bases, d)
	}
	if d := os.Getenv("XDG_RUNTIME_DIR"); d != "" {
		bases = append(bases, filepath.Join(d, "tapnode"))
	}
	bases = append(bases, filepath.Join(stateDir, "run"), shortBase)

	var tried []error
	for _, base := range bases {
		d, err := openRunDirIn(base)
		if err == nil {
			return d, nil
		}
		tried = append(tried, err)
	}
	return nil, fmt.Errorf("no directory for sockets: %w; set RUNTIME_DIRECTORY to a short path this user can write", errors.Join(tried...))
}

func openRunDirIn(base string) (*RunDir, error) {
	base, err := filepath.Abs(base)
	if err != nil {
		return nil, err
	}
	if len(base) > maxRunBase {
		return nil, fmt.Errorf("%s has %d bytes; a socket's path leaves room for %d", base, len(base), maxRunBase)
	}
	if err := os.MkdirAll(base, 0o700); err != nil {
		return nil, err
	}
	if base == shortBase {
		if err := onlyOurs(base); err != nil {
			return nil, err
		}
	}
	// Hosts lock the base to sweep it and to create their directory, so that no host sees
	// a directory that is not locked yet.
	held := lockIn(base)
	if err := held.Lock(); err != nil {
		return nil, fmt.Errorf("lock %s: %w", base, err)
	}
	defer held.Close() //nolint:errcheck // it ends with the process at the latest
	sweep(base)

	path, err := os.MkdirTemp(base, "h-")
	if err != nil {
		return nil, err
	}
	lock := lockIn(path)
	if _, err := lock.TryLock(); err != nil { // it cannot be taken: nobody else knows it yet
		os.RemoveAll(path)
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &RunDir{path: path, lock: lock}, nil
}

// onlyOurs refuses a directory that somebody else may have put there.
func onlyOurs(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(stat.Uid) != os.Getuid() || info.Mode().Perm() != 0o700 {
		return fmt.Errorf("%s is not a directory of mode 0700 that belongs to this user", dir)
	}
	return nil
}

// sweep removes the directories of hosts that are gone: nobody holds their lock.
func sweep(base string) {
	dirs, _ := filepath.Glob(filepath.Join(base, "h-*"))
	for _, dir := range dirs {
		lock := lockIn(dir)
		if ours, err := lock.TryLock(); err == nil && !ours {
			continue
		}
		os.RemoveAll(dir)
		_ = lock.Close() // its file is removed already
	}
}

// lockIn is the lock of a directory; once taken, it ends with this process at the latest.
func lockIn(dir string) *flock.Flock {
	return flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
}

// Path is the directory.
func (d *RunDir) Path() string { return d.path }

// Close removes the directory. Stop the nodes first.
func (d *RunDir) Close() error {
	return errors.Join(os.RemoveAll(d.path), d.lock.Close())
}
