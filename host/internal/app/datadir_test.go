package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOneHostPerDataDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := Claim(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Claim(dir)
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Fatalf("a second host: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	// A killed host leaves the file without its lock, maybe with a longer process id in it.
	if err := os.WriteFile(filepath.Join(dir, "lock"), []byte("1234567890\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Claim(dir)
	if err != nil {
		t.Fatalf("after the first has gone: %v", err)
	}
	defer again.Close()
	if raw, err := os.ReadFile(filepath.Join(dir, "lock")); err != nil || string(raw) != fmt.Sprintln(os.Getpid()) {
		t.Errorf("the lock says %q, %v", raw, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
