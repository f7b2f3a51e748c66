package store_test

import (
	"bufio"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store"
)

// TestPowerCut: what the store has confirmed is there after the power was cut at a random point,
// except outcomes of sends. The writer works on a file system in an image. While the writer is
// stopped, the image as it is on the disk has everything that was synced and nothing that is still
// in memory. Each such image is mounted and its store opened, as after a power cut.
// TAPNODE_POWER_CUTS sets the number of cuts; default 10.
func TestPowerCut(t *testing.T) {
	cuts := 10
	if raw := os.Getenv("TAPNODE_POWER_CUTS"); raw != "" {
		cuts = must[int](t)(strconv.Atoi(raw))
	}
	dir := t.TempDir()
	image, mounted := filepath.Join(dir, "disk"), filepath.Join(dir, "mounted")
	check(t, os.WriteFile(image, nil, 0o600))
	check(t, os.Truncate(image, 128<<20))
	if out, err := exec.CommandContext(t.Context(), "mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
		t.Skipf("no file system can be made: %v %s", err, out)
	}
	unmount := mount(t, image, mounted)
	var cmd *exec.Cmd
	defer func() {
		if cmd != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
		}
		unmount()
	}()
	crashDevices(t, mounted)
	kept := 0
	for round := 0; cuts > 0; round++ {
		said := newConfirmed()
		var says *os.File
		cmd, says = startWriter(t, mounted, round)
		lines, stopped := make(chan string, 1000), make(chan struct{})
		go func() {
			defer close(stopped)
			for scan := bufio.NewScanner(says); scan.Scan(); {
				lines <- scan.Text()
			}
		}()
		for range min(cuts, 20) {
			cuts--
			for n := 5 + rand.IntN(40); n > 0; n-- {
				select {
				case line := <-lines:
					said.note(t, line)
				case <-stopped:
					t.Fatal("the writer ended by itself")
				}
			}
			check(t, cmd.Process.Signal(syscall.SIGSTOP))
			heard(t, lines, said)
			kept += afterThePowerCut(t, snapshot(t, image), said)
			check(t, cmd.Process.Signal(syscall.SIGCONT))
		}
		check(t, cmd.Process.Kill())
		_ = cmd.Wait()
		cmd = nil
		unmount() // the next writer begins with an empty disk
		check(t, exec.CommandContext(t.Context(), "mkfs.ext4", "-q", "-F", image).Run())
		unmount = mount(t, image, mounted)
		crashDevices(t, mounted)
	}
	t.Logf("%d confirmed sends were looked for", kept)
}

// heard records what a stopped writer reported before it was stopped.
func heard(t *testing.T, lines <-chan string, said confirmed) {
	t.Helper()
	for {
		select {
		case line := <-lines:
			said.note(t, line)
		case <-time.After(20 * time.Millisecond): // later output is not needed
			return
		}
	}
}

// snapshot copies an image that is not written to meanwhile.
func snapshot(t *testing.T, image string) string {
	t.Helper()
	to := image + ".cut"
	for {
		before := must[os.FileInfo](t)(os.Stat(image))
		check(t, exec.CommandContext(t.Context(), "cp", "--sparse=always", image, to).Run())
		if after := must[os.FileInfo](t)(os.Stat(image)); after.ModTime().Equal(before.ModTime()) {
			return to
		}
	}
}

// afterThePowerCut opens the store of an image and checks that it has what was confirmed.
func afterThePowerCut(t *testing.T, image string, said confirmed) int {
	t.Helper()
	dir := image + ".mounted"
	unmount := mount(t, image, dir)
	defer unmount()
	s := must[*store.Store](t)(store.Open(t.Context(), store.Options{Dir: dir, Alone: true}))
	defer s.Close() //nolint:errcheck // it was only read
	said.hold(t, s, true)
	return len(said["intended"])
}

func mount(t *testing.T, image, dir string) (unmount func()) {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o700))
	if out, err := exec.CommandContext(t.Context(), "mount", "-o", "loop", image, dir).CombinedOutput(); err != nil {
		t.Skipf("this machine does not let us mount: %v %s", err, out)
	}
	done := false
	unmount = func() {
		if !done {
			done = true
			if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil { //nolint:noctx // also when the test is over
				t.Errorf("unmount: %v %s", err, out)
			}
		}
	}
	return unmount
}
