package cli

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLongPaths: if neither the data directory nor TMPDIR leaves room for a socket's name, another
// place is found.
func TestLongPaths(t *testing.T) {
	t.Parallel()
	long := filepath.Join(shortDir(t), strings.Repeat("a/long/way/down/", 6))
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"call", "whatsapp.instance.list@1", "--simulate", "--data", filepath.Join(long, "data")},
		{"call", "whatsapp.instance.list@1", "--simulate"},
	} {
		if code, _, errs := tapnodeIn(t, []string{"RUNTIME_DIRECTORY=", "XDG_RUNTIME_DIR=", "TMPDIR=" + long}, args...); code != exitOK {
			t.Errorf("%v: exit code %d\n%s", args, code, errs)
		}
	}
}

// TestOutputThatNobodyReads: a server whose stdout and stderr nobody reads, or are closed at the
// other end, continues to serve, and stops on SIGTERM as always.
func TestOutputThatNobodyReads(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"unread", "closed"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := freeAddress(t)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			data := shortDir(t)
			cmd := process(t, nil, "serve", "--simulate", "-v", "--json", "--listen", address, "--data", data, simulated)
			cmd.Stdout, cmd.Stderr = w, w
			if name == "closed" {
				_ = r.Close()
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_ = w.Close()
			s := &served{url: "http://" + address}
			ready := func() bool {
				res, err := http.Get(s.url + "/readyz")
				if err != nil {
					return false
				}
				_ = res.Body.Close()
				return res.StatusCode == http.StatusOK
			}
			deadline(t, ready)
			deadline(t, func() bool { // the simulation is complete, and its first run has sent its menu
				_, body := s.do(t, "GET", "/sim/v1/phones/5511999990001/inbox", "")
				return strings.Contains(body, "how can we help?")
			})
			s.token = strings.TrimSpace(succeeds(t, "tokens", "create", "--data", data))
			for range 90 { // their steps and log lines exceed what a pipe holds
				if status, body := s.do(t, "POST", "/v1/flows/menu/runs", ""); status != http.StatusCreated {
					t.Fatalf("start: %d %s", status, body)
				}
			}
			if !ready() {
				t.Error("it is not ready any more")
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			killed := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
			if err := cmd.Wait(); err != nil {
				_ = r.SetReadDeadline(time.Now().Add(10 * time.Second))
				said, _ := io.ReadAll(r)
				t.Errorf("%v, want exit code 0; it said last: %.1000s", err, said[max(0, len(said)-1000):])
			}
			killed.Stop()
		})
	}
}
