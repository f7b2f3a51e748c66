//go:build unix && !linux

package process

import "syscall"

// attributes put the node into a process group of its own. Without Pdeathsig its
// closed stdin alone tells a node that the host has died.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit has no portable form: the group is killed right after the reaping.
func awaitExit(int) {}
