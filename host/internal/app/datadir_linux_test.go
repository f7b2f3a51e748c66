package app

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// TestClaimEndsWhileAChildStarts: a child process holds all open files of its parent until it
// executes its program, but does not keep the data directory locked for that long.
func TestClaimEndsWhileAChildStarts(t *testing.T) {
	dir := t.TempDir()
	first, err := Claim(dir)
	if err != nil {
		t.Fatal(err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	child := -1
	for _, f := range open {
		if to, _ := os.Readlink(filepath.Join("/proc/self/fd", f.Name())); to == filepath.Join(dir, "lock") {
			fd, _ := strconv.Atoi(f.Name())
			if child, err = syscall.Dup(fd); err != nil { // as a forked child has it
				t.Fatal(err)
			}
		}
	}
	if child < 0 {
		t.Fatal("the lock is not open")
	}
	defer syscall.Close(child) //nolint:errcheck // nothing was written
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Claim(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
