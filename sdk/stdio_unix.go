//go:build unix

package sdk

import (
	"os"

	"golang.org/x/sys/unix"
)

// splitStdio returns the real stdout and stderr under other descriptors, and makes descriptor 1
// write to stderr.
func splitStdio() (stdout, stderr *os.File, err error) {
	out, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, nil, os.NewSyscallError("dup stdout", err)
	}
	if err := unix.Dup2(2, 1); err != nil {
		return nil, nil, os.NewSyscallError("dup2 stdout", err)
	}
	return os.NewFile(uintptr(out), "stdout"), os.Stderr, nil
}
