package cli

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// landed is the last commit that others run: this version must work on the data it leaves behind.
// Update it whenever a version has landed.
const landed = "3a7cfc9"

// TestUpgradeOfLanded: host and node of the landed version are killed right after they have
// answered, and this version continues from what they left: a menu that waits is answered by a tap,
// and keys that were answered give the same message, not a second one.
func TestUpgradeOfLanded(t *testing.T) {
	t.Parallel()
	leftToCrash(t)
	old := earlier(t, landed)
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		upgradeOf(t, old, nil)
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		base := startMortalPostgres(t)
		settings := put(t, shortDir(t), "settings.json", fmt.Sprintf(`{"whatsapp-send-buttons":{"store":{"dsn":%q}}}`, base.url("node")))
		upgradeOf(t, old, []string{"TAPNODE_DATABASE=" + base.url("runs")}, "--settings", settings)
	})
}

func upgradeOf(t *testing.T, old program, env []string, args ...string) {
	world, err := wasim.Start(wasim.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	})
	world.Trust() // its phones live in this process
	data := filepath.Join(shortDir(t), "data")
	connected := func(s *served) func() bool {
		return func() bool {
			a := s.ask(t, s.token, "GET", "/v1/instances", "")
			return a.status == http.StatusOK && a.at("instances.0.state") == "connected"
		}
	}
	// send returns the message of a key, which is the same for every repetition.
	send := func(s *served, key string) any {
		t.Helper()
		a := s.ask(t, s.token, "POST", endpoint+"demo", `{"number":"5511999990001","contentText":"`+key+`","buttons":[{"id":"ok","displayText":"OK"}]}`, "Idempotency-Key", key)
		if a.status != http.StatusOK {
			t.Fatalf("%s: %+v", key, a)
		}
		return a.at("messageId")
	}
	inbox := func() string {
		_, text := (&served{url: world.URL()}).do(t, http.MethodGet, "/sim/v1/phones/5511999990001/inbox", "")
		return text
	}

	a, host, _ := old.serve(t, world, data, env, args...)
	deadline(t, connected(a))
	started := a.ask(t, a.token, "POST", "/v1/flows/reminder/runs", "{}")
	if started.status != http.StatusCreated {
		t.Fatalf("start: %+v", started)
	}
	deadline(t, func() bool { return strings.Contains(inbox(), "Do you come") })
	sent := map[string]any{}
	for i := range 20 {
		key := fmt.Sprint("message ", i)
		sent[key] = send(a, key)
	}
	// The node is killed first: it would end in order if it saw its host end.
	for _, pid := range append(children(t, host.Process.Pid), host.Process.Pid) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
	}
	_ = host.Wait() // killed

	b, _, _ := today(t).serve(t, world, data, env, args...)
	deadline(t, connected(b))
	for key, id := range sent {
		if again := send(b, key); again != id || id == nil {
			t.Errorf("%s was message %v and is %v now", key, id, again)
		}
	}
	if _, got := (&served{url: world.URL()}).do(t, http.MethodPost, "/sim/v1/phones/5511999990001/click", `{"buttonId":"yes"}`); !strings.Contains(got, "messageId") {
		t.Fatalf("the tap: %s", got)
	}
	deadline(t, func() bool { return strings.Contains(inbox(), "Noted: I come.") })
	deadline(t, func() bool {
		return b.ask(t, b.token, "GET", "/v1/runs/"+fmt.Sprint(started.at("run")), "").at("status") == "succeeded"
	})
	shown := inbox()
	for key := range sent {
		if n := strings.Count(shown, `"`+key+`"`); n != 1 {
			t.Errorf("the phone shows %q %d times", key, n)
		}
	}
}
