//go:build linux

package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tapnode/tapnode/sdk"
)

// grandchildEnv makes a copy of the binary do nothing but stay alive.
const grandchildEnv = "BADNODE_GRANDCHILD"

// The real streams, kept before sdk.Main guards stdout.
var (
	realStdout = dup(1, "stdout")
	realStderr = dup(2, "stderr")
)

func dup(fd int, name string) *os.File {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		panic(err)
	}
	return os.NewFile(uintptr(n), name)
}

func misdeed(what string) {
	switch what {
	case "print":
		fmt.Fprintln(realStdout, "hello from a node that prints")
	case "long-stdout":
		fmt.Fprint(realStdout, strings.Repeat("o", 1<<20))
	case "long-stderr":
		fmt.Fprint(realStderr, strings.Repeat("e", 1<<20))
	case "bad-log":
		fmt.Fprint(realStderr, "{\"@message\": 42, \"@level\": []}\n{\"@message\": \"half\n")
	case "flood-log":
		for i := range 100_000 {
			fmt.Fprintf(realStderr, "line %d of a flood\n", i)
		}
	case "hang":
		time.Sleep(10 * time.Minute)
	case "exit":
		os.Exit(3)
	case "crash":
		go panic("badnode crashed as it was told")
		time.Sleep(10 * time.Minute)
	case "panic":
		panic("badnode panicked as it was told")
	case "stop":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "grandchild":
		grandchild()
	case "deaf":
		deaf()
	case "unlink":
		unlink()
	default:
		fmt.Fprintf(realStderr, "badnode: there is no misdeed %q\n", what)
	}
}

func grandchild() {
	_, err := os.StartProcess(os.Args[0], os.Args[:1], &os.ProcAttr{
		Env:   append(os.Environ(), grandchildEnv+"=1"),
		Files: []*os.File{nil, realStdout, realStderr},
	})
	if err != nil {
		fmt.Fprintln(realStderr, "badnode:", err)
	}
}

// deaf ignores that the host holds stdin, and disables SIGTERM again if other code asks for it
// later.
func deaf() {
	_ = os.Unsetenv(sdk.LifelineKey)
	go func() {
		for range 6000 {
			signal.Ignore(syscall.SIGTERM)
			time.Sleep(100 * time.Millisecond)
		}
		os.Exit(3)
	}()
}

func unlink() {
	dir := os.Getenv("PLUGIN_UNIX_SOCKET_DIR")
	if dir == "" {
		dir = os.TempDir()
	}
	files, _ := filepath.Glob(filepath.Join(dir, "plugin*"))
	for _, f := range files {
		if info, err := os.Lstat(f); err == nil && info.Mode()&os.ModeSocket != 0 && ours(f) {
			_ = os.Remove(f)
		}
	}
}

// ours reports whether this process listens on the socket: in a directory of its own it does; in a
// shared one it asks the kernel.
func ours(path string) bool {
	if os.Getenv("PLUGIN_UNIX_SOCKET_DIR") != "" {
		return true
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return false
	}
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	return err == nil && int(peer.Pid) == os.Getpid()
}
