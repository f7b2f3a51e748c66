//go:build !unix

package sdk

import "os"

// splitStdio has no descriptors to swap here: only os.Stdout is guarded.
func splitStdio() (stdout, stderr *os.File, err error) {
	return os.Stdout, os.Stderr, nil
}
