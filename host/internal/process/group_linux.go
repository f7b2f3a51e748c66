package process

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes put the node into a process group of its own. Pdeathsig ends the node when
// the host dies, in addition to the closed stdin. The kernel sends it when the *thread*
// that started the node ends, so runner.run keeps that thread.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit returns when the process has ended but is not yet reaped. Its id and that
// of its group still belong to it then, so the group can be killed safely.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
