package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// maxBinary is the largest binary that is read.
const maxBinary = 1 << 30

// MismatchError says that a binary or its manifest is not what was locked.
type MismatchError struct {
	Node string // name in the lock file
	Path string // of the binary
	What string // "size", "sha256" or "manifest"
	Want string // locked
	Got  string // found
}

// Error says what changed and how to accept it.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("node %s: the %s of %s is %s, but %s has %s; if you changed the binary, accept it with: tapnode nodes lock --nodes %s",
		e.Node, e.What, e.Path, e.Got, LockName, e.Want, filepath.Dir(e.Path))
}

// verify hashes the binary and compares it with the entry. The error is a
// *MismatchError if it differs.
func (e Entry) verify() error {
	f, err := e.open()
	if err != nil {
		return err
	}
	defer f.Close()
	return e.check(f, io.Discard)
}

// Install verifies the binary and returns the path of a private copy of it,
// <stateDir>/bin/<sha256>, which is what may be run. A good copy is used again. The
// error is a *MismatchError if the binary is not the locked one.
func (e Entry) Install(stateDir string) (string, error) {
	// Where there is no copy yet, making it verifies the binary.
	if _, err := os.Stat(filepath.Join(stateDir, "bin", e.SHA256)); err == nil {
		if err := e.verify(); err != nil {
			return "", err
		}
	}
	return e.EnsureCopy(stateDir)
}

// EnsureCopy hashes the private copy and returns its path. A copy that is damaged or
// gone is made again from the binary, as Install makes it; while it is good, the binary
// does not matter. Call it before each start: the copy may have been replaced since.
func (e Entry) EnsureCopy(stateDir string) (string, error) {
	bin, err := filepath.Abs(filepath.Join(stateDir, "bin"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(bin, e.SHA256)
	copied := e
	copied.Path = path
	if copied.verify() == nil {
		return path, nil
	}
	err = e.copyTo(bin, path)
	if _, is := errors.AsType[*MismatchError](err); is {
		return "", err // it is about the binary
	}
	if err != nil {
		return "", fmt.Errorf("copy of node %s: %w", e.Name, err)
	}
	return path, nil
}

// copyTo copies what it hashes: a change since verify is noticed here. It does not wait for the disk: a copy that a power
// cut has damaged is noticed before it is run.
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

func (e Entry) open() (*os.File, error) {
	f, size, err := openBinary(e.Path)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", e.Name, err)
	}
	if size != e.Size {
		f.Close()
		return nil, &MismatchError{e.Name, e.Path, "size", fmt.Sprint(e.Size, " bytes"), fmt.Sprint(size, " bytes")}
	}
	return f, nil
}

// check hashes f, copies it to w and compares.
func (e Entry) check(f *os.File, w io.Writer) error {
	_, sum, err := hash(f, w)
	if err != nil {
		return fmt.Errorf("node %s: %w", e.Name, err)
	}
	if sum != e.SHA256 {
		return &MismatchError{e.Name, e.Path, "sha256", e.SHA256, sum}
	}
	return nil
}

// openBinary opens a regular executable file.
func openBinary(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // a fifo must not block
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file", path)
	case info.Mode()&0o111 == 0:
		err = fmt.Errorf("%s is not executable; chmod +x it", path)
	case info.Size() > maxBinary:
		err = fmt.Errorf("%s has %d bytes; at most %d", path, info.Size(), int64(maxBinary))
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func hash(f io.Reader, w io.Writer) (size int64, sum string, err error) {
	h := sha256.New()
	size, err = io.Copy(io.MultiWriter(h, w), io.LimitReader(f, maxBinary+1))
	return size, hex.EncodeToString(h.Sum(nil)), err
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
