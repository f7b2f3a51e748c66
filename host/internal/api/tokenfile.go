package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// maxTokenFile bounds what is read, in bytes: maxTokens of them fit.
const maxTokenFile = 1 << 20

// readTokens reads the file and says which version of it that was.
func readTokens(path string) ([]Token, os.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read tokens: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("read tokens: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxTokenFile))
	if err != nil {
		return nil, nil, fmt.Errorf("read tokens: %w", err)
	}
	var list []Token
	err = json.Unmarshal(raw, &list)
	if list == nil && err == nil {
		err = errors.New("it holds null, not a list")
	}
	for _, token := range list {
		err = errors.Join(err, token.check())
	}
	if err != nil {
		return nil, nil, fmt.Errorf("tokens file %s is damaged: %w; restore it, or delete it and make new tokens", path, err)
	}
	return list, info, nil
}

// check refuses a token that would match what it should not, or be allowed more.
func (t Token) check() error {
	if _, err := hex.DecodeString(t.Hash); err != nil || len(t.Hash) != 2*sha256.Size {
		return fmt.Errorf("token %q has no hash", t.ID)
	}
	if t.Scope == TokenAccount && t.Instance == "" || t.Scope == TokenInstance && t.Instance != "" {
		return nil
	}
	return fmt.Errorf("token %q is neither of an account nor of an instance", t.ID)
}

// sameFile says whether a file has not changed; it is replaced, not written to, but
// people have editors.
func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

func writeTokens(path string, list []Token) error {
	raw, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tokens-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(append(raw, '\n'))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// lockFile keeps other processes, and other callers in this one, from changing the
// tokens at the same time. Nobody holds the lock for longer than a write takes.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for range 500 {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return func() { f.Close() }, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
}
