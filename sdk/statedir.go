package sdk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// takeOver is how long Configure waits for the state directory, because a process whose host has
// died may still be closing, and takeOverEvery how often it tries.
const (
	takeOver      = 5 * time.Second
	takeOverEvery = 20 * time.Millisecond
)

// errHeld is returned when another process holds the lock.
var errHeld = errors.New("another process holds the lock")

// claimStateDir creates the directory if need be and keeps other nodes out of it until the returned
// file is closed, which happens at the latest when this process ends, in whatever way.
func claimStateDir(ctx context.Context, dir string) (*os.File, []Violation) {
	if dir == "" {
		return nil, []Violation{{Code: "state_dir_missing", Message: "no state directory: the host has to name one in state_dir, for this node alone",
			Suggestion: "give state_dir the absolute path of a directory that survives restarts"}}
	}
	unusable := func(err error) (*os.File, []Violation) {
		return nil, []Violation{{Code: "state_dir_unusable", Message: fmt.Sprintf("the state directory cannot be used: %v", err)}}
	}
	if !filepath.IsAbs(dir) {
		return unusable(fmt.Errorf("%q is not an absolute path", dir))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unusable(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the host names it
	if err != nil {
		return unusable(err)
	}
	ctx, cancel := context.WithTimeout(ctx, takeOver)
	defer cancel()
	for err = tryLock(f); errors.Is(err, errHeld) && ctx.Err() == nil; err = tryLock(f) {
		select {
		case <-ctx.Done():
		case <-time.After(takeOverEvery):
		}
	}
	if err == nil {
		if f.Truncate(0) == nil { // on a full disk the lock is valid without the number
			_, _ = fmt.Fprintln(f, os.Getpid())
		}
		return f, nil
	}
	defer f.Close()
	if !errors.Is(err, errHeld) {
		return unusable(err)
	}
	holder := make([]byte, 20)
	n, _ := f.Read(holder) // the process number only helps to find the process
	return nil, []Violation{{Code: "state_dir_in_use",
		Message:    fmt.Sprintf("process %s works in the state directory %s", strings.TrimSpace(string(holder[:n])), dir),
		Suggestion: "stop that node, or give this one a directory of its own"}}
}
