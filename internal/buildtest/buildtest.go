// Package buildtest builds programs of this module for tests, as "make build" does.
//
// "go build" links a program each time, and the tests of many packages need the node. Go caches
// what "go run" has linked, so all of them together link it once.
package buildtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Program builds the program in a directory of this module, "plugin" or "host", and writes it to a
// file.
func Program(ctx context.Context, source, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	// "go run" runs cp, with the program and the file as its arguments.
	cmd := exec.CommandContext(ctx, "go", "run", "-trimpath", "-ldflags=-s -w", "-exec", "cp", "github.com/tapnode/tapnode/"+source, file)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", source, err, out)
	}
	return nil
}
