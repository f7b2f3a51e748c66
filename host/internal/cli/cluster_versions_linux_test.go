package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/cluster"
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/sim"
	"github.com/tapnode/tapnode/internal/buildtest"
	"github.com/tapnode/tapnode/plugin/wasim"
)

// newerFlow needs operations that the nodes of one host do not have.
const newerFlow = `
apiVersion: flow/v1
kind: Flow
metadata: {id: newer}
vars: {type: object, properties: {order: {type: string}}}
triggers:
  - {id: start, type: manual, to: menu}
nodes:
  - id: menu
    type: whatsapp.sendButtons@1
    with: {instance: demo, number: "5511999990001", contentText: "menu ${ vars.order }", buttons: [{id: "yes", displayText: "Yes"}]}
    wait: {timeout: 1h}
  - {id: hours, type: hours.check@1, with: {week: {mon: ["09:00-18:00"]}}}
  - {id: answer, type: whatsapp.sendText@1, with: {instance: demo, number: "5511999990001", contentText: "answer ${ vars.order }"}}
edges:
  - {from: "menu.reply:yes", to: hours}
  - {from: hours.out, to: answer}
`

// TestClusterVersions: one of two hosts has older nodes, which a flow does not fit. It takes no
// step and no tap of that flow, whichever host was first: each run continues at once on the other
// host, and there is no dead letter. When the newer host has left, a tap is refused visibly, and
// takes effect when it is sent again to a host that fits.
func TestClusterVersions(t *testing.T) {
	t.Parallel()
	leftToCrash(t)
	newer := shortDir(t)
	for name, source := range map[string]string{"whatsapp-send-buttons": "plugin", "hours": "examples/nodes/hours"} {
		if err := buildtest.Program(t.Context(), source, filepath.Join(newer, name)); err != nil {
			t.Fatal(err)
		}
	}
	succeeds(t, "nodes", "lock", "--nodes", newer)
	for _, first := range []string{"old", "new"} {
		t.Run("the "+first+" one first", func(t *testing.T) {
			t.Parallel()
			mixed(t, first == "old", map[bool]string{true: nodesDir, false: newer})
		})
	}
}

func mixed(t *testing.T, oldFirst bool, nodes map[bool]string) {
	base, log := startMortalPostgres(t), slog.New(slog.DiscardHandler)
	world, err := sim.Start(log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	})
	node, err := merge(world.Settings(), fmt.Appendf(nil, `{"store":{"dsn":%q}}`, base.url("node")))
	if err != nil {
		t.Fatal(err)
	}
	dir := shortDir(t)
	settings := put(t, dir, "settings.json", fmt.Sprintf(`{"whatsapp-send-buttons":%s}`, node))
	pairAll(t, world, filepath.Join(dir, "pairing"), node, log, "demo")
	phone, err := world.Server().NewPhone(t.Context(), "5511999990001")
	if err != nil {
		t.Fatal(err)
	}
	begin := func(old bool) *mortalHost {
		data := filepath.Join(dir, map[bool]string{true: "old", false: "new"}[old])
		h := startMortal(t, data, "serve", "--data", data, "--listen", "127.0.0.1:0", "--settings", settings, "--nodes", nodes[old], "--database", base.url("runs"))
		eventually(t, "the host is ready", func() bool { return h.control.get(t.Context(), http.MethodGet, "/readyz", nil, nil, nil) == nil })
		return h
	}
	read := func(h *mortalHost) func() bool {
		return func() bool {
			var reader string
			err := base.ask(t, "runs", `SELECT host FROM engine_owners WHERE node = 'whatsapp-send-buttons' AND subject = ''`, &reader)
			id, _ := os.ReadFile(filepath.Join(h.data, "host.id"))
			return err == nil && reader == strings.TrimSpace(string(id))
		}
	}
	first := begin(oldFirst)
	eventually(t, "the first host reads the events", read(first))
	second := begin(!oldFirst)
	hosts := map[bool]*mortalHost{oldFirst: first, !oldFirst: second}
	eventually(t, "both know each other", func() bool {
		var all struct{ Hosts []cluster.Host }
		err := first.control.get(t.Context(), http.MethodGet, v1("hosts"), nil, nil, &all)
		return err == nil && len(all.Hosts) == 2 && !slices.ContainsFunc(all.Hosts, func(h cluster.Host) bool { return !h.Lives })
	})
	if err := hosts[false].control.get(t.Context(), http.MethodPost, v1("flows"), nil, []byte(newerFlow), nil); err != nil {
		t.Fatal(err)
	}

	start := func(n int) (id string, menu wasim.Message) {
		var started struct{ Run string }
		body := fmt.Appendf(nil, `{"vars":{"order":"%d"}}`, n)
		if err := hosts[false].control.get(t.Context(), http.MethodPost, v1("flows", "newer", "runs"), nil, body, &started); err != nil {
			t.Fatal(err)
		}
		return started.Run, shownOn(t, phone, fmt.Sprintf("menu %d", n))
	}
	letters := func(h *mortalHost) []engine.DeadLetter {
		var all struct{ DeadLetters []engine.DeadLetter }
		if err := h.control.get(t.Context(), http.MethodGet, v1("deadletters"), nil, nil, &all); err != nil {
			t.Fatal(err)
		}
		return all.DeadLetters
	}
	for n := range 5 {
		_, menu := start(n)
		if _, err := phone.Click(t.Context(), menu, "yes", wasim.ShapeInteractive); err != nil {
			t.Fatal(err)
		}
		shownOn(t, phone, fmt.Sprintf("answer %d", n))
	}
	if got := letters(hosts[false]); len(got) != 0 {
		t.Errorf("dead letters: %+v", got)
	}
	if !read(hosts[false])() {
		t.Error("the host that the flow does not fit reads the events")
	}
	if err := hosts[true].control.get(t.Context(), http.MethodPost, v1("flows", "newer", "runs"), nil, []byte("{}"), nil); err == nil {
		t.Error("the host that the flow does not fit has started a run of it")
	}

	_, menu := start(5)
	hosts[false].stop(t)
	if _, err := phone.Click(t.Context(), menu, "yes", wasim.ShapeInteractive); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the tap is a dead letter", func() bool { return len(letters(hosts[true])) == 1 })
	again := begin(false)
	if err := again.control.get(t.Context(), http.MethodPost, v1("deadletters", letters(again)[0].ID, "resend"), nil, nil, nil); err != nil {
		t.Error(err)
	}
	shownOn(t, phone, "answer 5")
}

// shownOn waits until a phone shows a message.
func shownOn(t *testing.T, phone *wasim.Phone, text string) wasim.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := phone.Wait(ctx, func(m wasim.Message) bool { return m.Text == text })
	if err != nil {
		t.Fatalf("the phone never showed %q: %v", text, err)
	}
	return m
}
