//go:build unix && !linux

package process

import "syscall"

// attributes put the node into a process group of its own. There is no Pdeathsig here:
// only its closed stdin tells a node that the host has died.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit does not wait, because there is no portable way to; reap then waits for the process.
func awaitExit(int) {}
