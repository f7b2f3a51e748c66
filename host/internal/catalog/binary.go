package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// maxBinary is the maximum size of a binary in bytes.
const maxBinary = 1 << 30

// MismatchError means that a binary or its manifest differs from the locked one.
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

// Verify hashes the binary and compares it with the entry. The error is a
// *MismatchError if it differs.
func (e Entry) Verify() error {
	f, err := e.open()
	if err != nil {
		return err
	}
	defer f.Close()
	return e.check(f, io.Discard)
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
