package cli

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestEngineWithoutRoom: the disk of the runs fills while menus wait. The host reports this and
// refuses new runs; taps stay with the node. With room again each run continues, once.
func TestEngineWithoutRoom(t *testing.T) {
	t.Parallel()
	data, err := mounted(t, "data", 0, "size=256m")
	if err != nil {
		t.Skipf("needs to mount a small tmpfs: %v", err)
	}
	// The node is on another disk, so that only the engine has no room.
	if err := os.Symlink(shortDir(t), filepath.Join(data, "nodes")); err != nil {
		t.Fatal(err)
	}
	s := serveSimulated(t, "--data", data, "--phone", "5511999990002", "--phone", "5511999990003")
	go func() { // the rest of the steps
		for s.lines.Scan() {
		}
	}()
	runs := map[string]string{} // by phone
	inbox := func(phone string) string {
		_, body := s.do(t, "GET", "/sim/v1/phones/"+phone+"/inbox", "")
		return body
	}
	for _, phone := range []string{"5511999990002", "5511999990003"} {
		status, body := s.do(t, "POST", "/v1/flows/menu/runs", `{"vars":{"phone":"`+phone+`"}}`)
		var started struct{ Run string }
		if err := json.Unmarshal([]byte(body), &started); status != 201 || err != nil {
			t.Fatalf("start: %d %s", status, body)
		}
		runs[phone] = started.Run
		deadline(t, func() bool { return strings.Contains(inbox(phone), "how can we help?") })
	}

	ballast := filepath.Join(data, "ballast")
	full, err := os.Create(ballast)
	for block := make([]byte, 1<<20); err == nil; {
		_, err = full.Write(block)
	}
	if err := full.Close(); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal("the disk is not full: ", err)
	}
	deadline(t, func() bool { // the rest of SQLite's log can still take some
		status, body := s.do(t, "POST", "/v1/flows/menu/runs", `{}`)
		return status == 503 && strings.Contains(body, "could not be started")
	})
	deadline(t, s.readyz(t, 503, "the database's disk is full: free space"))
	for phone := range runs {
		if status, body := s.do(t, "POST", "/sim/v1/phones/"+phone+"/click", `{"buttonId":"billing"}`); status > 201 {
			t.Fatalf("tap: %d %s", status, body)
		}
	}
	deadline(t, func() bool { return strings.Contains(s.said.String(), "cannot be written") })

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	deadline(t, s.readyz(t, 200, `"ready":true`))
	for phone, run := range runs {
		deadline(t, func() bool { return strings.Contains(inbox(phone), "You tapped Billing") })
		_, steps := s.do(t, "GET", "/v1/runs/"+run+"/steps", "")
		if strings.Count(steps, `"wait.answered"`) != 1 || strings.Count(steps, `"run.finished"`) != 1 {
			t.Errorf("%s:\n%s", run, steps)
		}
		if got := inbox(phone); strings.Count(got, "You tapped Billing") != 1 || strings.Count(got, "how can we help?") != 1 {
			t.Errorf("the phone shows %s", got)
		}
	}
}
