package cli

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/host/internal/sim"
	"github.com/tapnode/tapnode/plugin/wasim"
)

// TestRunOutlivesHost: a run waits for a tap while its host is killed with SIGKILL. The next host
// has a new version of the flow; the run continues with its own version, at the tapped button,
// once.
func TestRunOutlivesHost(t *testing.T) {
	t.Parallel()
	phone, data, settings := pairedElsewhere(t)
	old, err := os.ReadFile("../../../examples/flows/menu.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(data), "menu.yaml")
	begin := func(source []byte) (*running, *served) {
		if err := os.WriteFile(file, source, 0o600); err != nil {
			t.Fatal(err)
		}
		r := startProcess(t, "serve", "--listen", "127.0.0.1:0", "--data", data, "--settings", settings, file)
		return r, &served{url: r.until(t, "tapnode serves at ")}
	}

	first, api := begin(old)
	api.token = strings.TrimSpace(succeeds(t, "tokens", "create", "--data", data))
	status, body := api.do(t, "POST", "/v1/flows/menu/runs", `{}`)
	var started struct{ Run string }
	if err := json.Unmarshal([]byte(body), &started); status != 201 || err != nil {
		t.Fatalf("start: %d %s", status, body)
	}
	menu, err := phone.Wait(t.Context(), func(m wasim.Message) bool { return strings.Contains(m.Text, "how can we help?") })
	if err != nil {
		t.Fatal(err)
	}
	first.until(t, "wait.armed")
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.cmd.Wait() // killed
	if info, err := os.Stat(filepath.Join(data, "engine.db")); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the database of the runs: %v %v", info, err)
	}

	if _, err := phone.Click(t.Context(), menu, "billing", wasim.ShapeInteractive); err != nil { // while no host runs
		t.Fatal(err)
	}
	next, again := begin(bytes.ReplaceAll(old, []byte("You tapped"), []byte("A newer version says:")))
	again.token = api.token
	next.until(t, "run.finished")
	_, steps := again.do(t, "GET", "/v1/runs/"+started.Run+"/steps", "")
	if n := strings.Count(steps, `"wait.answered"`); n != 1 || !strings.Contains(steps, `"reply:billing"`) || strings.Count(steps, `"run.started"`) != 1 {
		t.Errorf("%d answers in\n%s", n, steps)
	}
	if _, err := phone.Wait(t.Context(), func(m wasim.Message) bool { return strings.Contains(m.Text, "You tapped Billing") }); err != nil {
		t.Fatal(err)
	}
	if inbox := phone.Inbox(); len(inbox) != 2 {
		t.Errorf("the phone shows %d messages, want the menu and the answer: %+v", len(inbox), inbox)
	}
	next.interrupt(t)
}

// pairedElsewhere starts a simulated WhatsApp that outlives the hosts of a test. It returns a
// customer's phone, a data directory in which the instance demo is paired, and the file with the
// node's settings.
func pairedElsewhere(t *testing.T) (phone *wasim.Phone, data, settings string) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := sim.Start(log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := shortDir(t)
	data, settings = filepath.Join(dir, "data"), filepath.Join(dir, "settings.json")
	pairAll(t, s, data, s.Settings(), log, "demo")
	raw, err := json.Marshal(map[string]json.RawMessage{"whatsapp-send-buttons": s.Settings()})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if phone, err = s.Server().NewPhone(t.Context(), "5511999990001"); err != nil {
		t.Fatal(err)
	}
	return phone, data, settings
}

// pairAll pairs instances in a data directory.
func pairAll(t *testing.T, s *sim.Simulation, data string, settings json.RawMessage, log *slog.Logger, instances ...string) {
	t.Helper()
	installed, err := app.Installation(t.Context(), nodesDir, data)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Open(app.Options{Nodes: installed, DataDir: data, Logger: log, Settings: map[string]json.RawMessage{"whatsapp-send-buttons": settings}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range instances {
		if err := s.Connect(t.Context(), a.Execute, name); err != nil {
			t.Fatal(err)
		}
	}
}
