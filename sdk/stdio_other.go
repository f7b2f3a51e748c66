//go:build !unix

package sdk

import "os"

// splitStdio swaps no descriptors on this system: only os.Stdout is guarded.
func splitStdio() (stdout, stderr *os.File, err error) {
	return os.Stdout, os.Stderr, nil
}
