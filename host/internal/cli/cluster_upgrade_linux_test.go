package cli

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// before is the last commit whose hosts do not know each other. Its schemas, of the runs and of the
// node, are one migration older.
const before = "6df53ab"

// TestClusterUpgrade: a host of the version before works on a Postgres database, and one of this
// version starts beside it and migrates both databases. The old host continues with HTTP and runs,
// and refuses with a clear message what it may not send any more. A run that it began ends on the
// new host. Once the old host has ended, it does not start again.
func TestClusterUpgrade(t *testing.T) {
	t.Parallel()
	leftToCrash(t)
	base := startMortalPostgres(t)
	old, ours := earlier(t, before), today(t)
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
	dir := shortDir(t)
	settings := put(t, dir, "settings.json", fmt.Sprintf(`{"whatsapp-send-buttons":{"store":{"dsn":%q}}}`, base.url("node")))
	begin := func(p program, data string) (*served, *exec.Cmd, *said) {
		t.Helper()
		return p.serve(t, world, filepath.Join(dir, data), []string{"TAPNODE_DATABASE=" + base.url("runs")}, "--settings", settings)
	}
	is := func(s *served, text string) func() bool {
		return func() bool {
			a := s.ask(t, s.token, "GET", "/v1/instances", "")
			return a.status == http.StatusOK && a.at("instances.0.state") == text
		}
	}
	send := func(s *served, text string) answered {
		return s.ask(t, s.token, "POST", endpoint+"demo", `{"number":"5511999990001","contentText":"`+text+`","buttons":[{"id":"ok","displayText":"OK"}]}`)
	}

	a, process, _ := begin(old, "old")
	deadline(t, is(a, "connected"))
	// phone makes a request to the simulator about the customer's phone.
	phone := func(what, body string) string {
		method := http.MethodPost
		if body == "" {
			method = http.MethodGet
		}
		_, text := (&served{url: world.URL()}).do(t, method, "/sim/v1/phones/5511999990001/"+what, body)
		return text
	}
	shows := func(text string) func() bool {
		return func() bool { return strings.Contains(phone("inbox", ""), text) }
	}
	started := a.ask(t, a.token, "POST", "/v1/flows/reminder/runs", "{}")
	if started.status != http.StatusCreated {
		t.Fatalf("start: %+v", started)
	}
	run := started.at("run")
	deadline(t, shows("Do you come"))

	b, _, _ := begin(ours, "new")
	deadline(t, is(b, "connected"))
	if got := send(b, "by the new one"); got.status != http.StatusOK {
		t.Errorf("the new host: %+v", got)
	}
	deadline(t, is(a, "replaced"))
	if got := send(a, "by the old one"); got.status == http.StatusOK || got.at("code") != "stale_epoch" {
		t.Errorf("the old host: %+v", got)
	}
	if got := a.ask(t, a.token, "GET", "/v1/runs/"+fmt.Sprint(run), ""); got.status != http.StatusOK {
		t.Errorf("the old host does not show its run: %+v", got)
	}
	if err := errors.Join(process.Process.Signal(syscall.SIGTERM), process.Wait()); err != nil {
		t.Errorf("the old host did not end in order: %v", err)
	}
	if got := phone("click", `{"buttonId":"yes"}`); !strings.Contains(got, "messageId") {
		t.Fatalf("the tap: %s", got)
	}
	deadline(t, shows("Noted: I come."))
	if shows("by the old one")() {
		t.Error("the old host has sent")
	}
	_, again, says := begin(old, "old")
	if err := again.Wait(); err == nil || !strings.Contains(says.String(), "use the newer program") {
		t.Errorf("the old host comes back: %v\n%s", err, says)
	}
}
