package catalog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Copy is the private copy of a binary, which is the one that runs.
type Copy struct {
	Path string // <stateDir>/bin/<sha256>

	entry Entry // of the binary
	mu    sync.Mutex
	good  mark // of the copy when it was last hashed; zero before that
}

// mark identifies a file and its contents: it differs for another file in its place, and for the
// same file after a change, because only the kernel sets the ctime.
type mark unix.Stat_t

func markOf(path string) mark {
	var s unix.Stat_t
	if unix.Stat(path, &s) != nil {
		return mark{}
	}
	s.Atim, s.Blocks = unix.Timespec{}, 0 // reading and writing back change them
	return mark(s)
}

// Install verifies the binary and makes its private copy in stateDir. An existing good copy is
// reused. The error is a *MismatchError if the binary is not the locked one.
func (e Entry) Install(stateDir string) (*Copy, error) {
	bin, err := filepath.Abs(filepath.Join(stateDir, "bin"))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return nil, err
	}
	c := &Copy{Path: filepath.Join(bin, e.SHA256), entry: e}
	// Where there is no copy yet, making it verifies the binary.
	if _, err := os.Stat(c.Path); err == nil {
		if err := e.Verify(); err != nil {
			return nil, err
		}
	}
	return c, c.Ensure()
}

// Ensure hashes the copy, unless it has not changed since it was last hashed. A copy that is
// damaged or missing is made again from the binary, as by Install; while the copy is good, the
// binary is not used. Call Ensure before each start, because the copy may have been replaced since.
func (c *Copy) Ensure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := markOf(c.Path)
	if now != (mark{}) && now == c.good {
		return nil
	}
	copied := c.entry
	copied.Path = c.Path
	if copied.Verify() == nil {
		c.good = now // a change while it was hashed changes the mark
		return nil
	}
	err := c.entry.copyTo(filepath.Dir(c.Path), c.Path)
	if _, is := errors.AsType[*MismatchError](err); is {
		return err // the binary is at fault, not the copy
	}
	if err != nil {
		return fmt.Errorf("copy of node %s: %w", c.entry.Name, err)
	}
	c.good = markOf(c.Path)
	return nil
}

// copyTo hashes the binary while copying it, and so detects a change since Verify. It does not sync
// to disk: Ensure detects a copy that a power failure has damaged before it runs.
func (e Entry) copyTo(dir, path string) error {
	// A process forked now would hold the copy open for writing until its exec, and
	// ours would fail with "text file busy" (golang.org/issue/22315).
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()

	src, err := e.open()
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.CreateTemp(dir, ".copy-*")
	if err != nil {
		return err
	}
	defer os.Remove(dst.Name())
	if err := errors.Join(e.check(src, dst), dst.Chmod(0o500), dst.Close()); err != nil {
		return err
	}
	return os.Rename(dst.Name(), path)
}

// Prune removes the copies in stateDir that no entry of the lock file needs. Running
// processes keep theirs.
func (l Lockfile) Prune(stateDir string) error {
	needed := map[string]bool{}
	for _, e := range l.Nodes {
		needed[e.SHA256] = true
	}
	bin := filepath.Join(stateDir, "bin")
	files, err := os.ReadDir(bin)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, f := range files {
		if !needed[f.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(bin, f.Name())))
		}
	}
	return err
}
