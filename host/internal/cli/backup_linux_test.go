package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// TestBackup backs up a server while it runs and a menu waits, then taps the menu, kills
// everything, and restores the store of the host alone, of the node alone, or of both.
//
// The restored host waits for a tap that it has already had: the node delivers it again, and
// answers the call that follows from its ledger, so that no second message is sent. With both
// restored the tap is unknown, and the next one is answered.
func TestBackup(t *testing.T) {
	t.Parallel()
	phone, data, settings := pairedElsewhere(t)
	dir := filepath.Dir(data)
	token := ""
	begin := func() (*running, *served) {
		r := startProcess(t, "serve", "--listen", "127.0.0.1:0", "--data", data, "--settings", settings, simulated)
		url := r.until(t, "tapnode serves at ")
		if token == "" { // the backups contain it, too
			token = strings.TrimSpace(succeeds(t, "tokens", "create", "--data", data))
		}
		return r, &served{url: url, token: token}
	}
	shown := func(text string) (n int) {
		for _, m := range phone.Inbox() {
			if strings.Contains(m.Text, text) {
				n++
			}
		}
		return n
	}
	menus, answers := 0, 0
	ask := func(r *running, api *served) (run string, menu wasim.Message) {
		status, body := api.do(t, "POST", "/v1/flows/menu/runs", `{}`)
		var started struct{ Run string }
		if err := json.Unmarshal([]byte(body), &started); status != 201 || err != nil {
			t.Fatalf("start: %d %s", status, body)
		}
		menus++
		deadline(t, func() bool { return shown("how can we help?") == menus })
		for _, m := range phone.Inbox() {
			if strings.Contains(m.Text, "how can we help?") {
				menu = m // the newest
			}
		}
		r.until(t, "wait.armed")
		return started.Run, menu
	}
	tap := func(menu wasim.Message) {
		if _, err := phone.Click(t.Context(), menu, "billing", wasim.ShapeInteractive); err != nil {
			t.Fatal(err)
		}
	}

	for _, what := range []string{"host", "node", "both"} {
		r, api := begin()
		run, menu := ask(r, api)
		archive := filepath.Join(dir, what+".tgz")
		succeeds(t, "backup", archive, "--data", data)
		tap(menu)
		answers++
		deadline(t, func() bool { return shown("You tapped Billing") == answers })
		r.until(t, "run.finished")
		if err := r.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = r.cmd.Wait() // killed
		restored := filepath.Join(dir, what)
		succeeds(t, "restore", archive, "--data", restored)
		replace := func(names ...string) {
			for _, name := range names {
				if err := os.RemoveAll(filepath.Join(data, name)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Rename(filepath.Join(restored, names[0]), filepath.Join(data, names[0])); err != nil {
				t.Fatal(err)
			}
		}
		switch what {
		case "host":
			replace("engine.db", "engine.db-wal", "engine.db-shm")
		case "node":
			replace("nodes/whatsapp-send-buttons")
		default:
			data = restored
		}
		r, api = begin()
		switch what {
		case "host": // by the earlier tap
			r.until(t, "run.finished")
		case "both":
			tap(menu)
			answers++
			r.until(t, "run.finished")
		}
		_, steps := api.do(t, "GET", "/v1/runs/"+run+"/steps", "")
		if strings.Count(steps, `"wait.answered"`) != 1 || strings.Count(steps, `"run.finished"`) != 1 {
			t.Errorf("%s: the run went\n%s", what, steps)
		}
		_, menu = ask(r, api) // with a restored, older session
		tap(menu)
		answers++
		r.until(t, "run.finished")
		deadline(t, func() bool { return shown("You tapped Billing") >= answers })
		r.interrupt(t)
		if got := shown("You tapped Billing"); got != answers {
			t.Errorf("%s: %d answers are shown, want %d", what, got, answers)
		}
	}
}

// succeeds runs a command that has to work and returns its output.
func succeeds(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := Main(args, &out, &errs); code != exitOK {
		t.Fatalf("tapnode %s: %d %s", strings.Join(args, " "), code, &errs)
	}
	return out.String()
}
