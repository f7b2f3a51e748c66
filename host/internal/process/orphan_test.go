package process

import (
	"encoding/json"
	"os/exec"
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

// A host that is killed leaves no node behind: a node built with the sdk sees the end of
// its stdin, and Linux kills any other.
func TestTrapHostIsKilled(t *testing.T) {
	roles := []string{"good"}
	if runtime.GOOS == "linux" {
		roles = append(roles, "foreign")
	}
	for _, role := range roles {
		t.Run(role, func(t *testing.T) {
			host := exec.Command(self(), "mini-host", role, shortDir(t))
			out, err := host.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := host.Start(); err != nil {
				t.Fatal(err)
			}
			var st Status
			err = json.NewDecoder(out).Decode(&st)
			_ = host.Process.Kill()
			_ = host.Wait()
			if err != nil || st.State != Ready {
				t.Fatalf("the host's node is %+v, %v", st, err)
			}
			gone(t, st.PID)
		})
	}
}

// Twenty processes that end in different ways (by a stop, by a crash or before they are
// ready) leave no goroutine and no open file.
func TestNothingLeaks(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	before := openFiles(t)
	n := newNode(t, "good", func(s *Spec) { s.CrashBudget = 100 })
	for i := range 20 {
		if err := n.Start(n.soon()); err != nil {
			t.Fatal(err)
		}
		switch pid := n.State().PID; i % 4 {
		case 0:
			n.works()
		case 1:
			_, _ = n.tell("exit")
			n.await("noticed", func(s Status) bool { return s.PID != pid })
		case 2:
			_, _ = n.tell("crash")
		case 3:
			n.works()
			_, _ = n.tell("unwell")
		}
		if err := n.Stop(n.soon()); err != nil {
			t.Fatal(err)
		}
	}
	if after := openFiles(t); after > before+2 { // the run directory's lock
		t.Errorf("%d open files, %d before", after, before)
	}
}
