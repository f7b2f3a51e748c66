// Package buildtest makes programs of this module for tests, as "make build" makes them.
//
// "go build" links a program each time, and the tests of many packages need the node. What "go run" has linked Go keeps, so
// all of them link it once.
package buildtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Program makes the program of a directory of this module, "plugin" or "host", as a file.
func Program(ctx context.Context, source, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	// What is run is cp, with the program and the file.
	cmd := exec.CommandContext(ctx, "go", "run", "-trimpath", "-ldflags=-s -w", "-exec", "cp", "github.com/tapnode/tapnode/"+source, file)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", source, err, out)
	}
	return nil
}
