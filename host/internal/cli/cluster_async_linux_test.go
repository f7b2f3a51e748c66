package cli

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
)

const lostFlow = `
apiVersion: flow/v1
kind: Flow
metadata: {id: crash}
vars: {type: object, properties: {order: {type: string}}}
triggers:
  - {id: start, type: manual, to: menu}
nodes:
  - id: menu
    type: whatsapp.sendButtons@1
    with: {instance: shop0, number: "5511999990001", contentText: "menu ${ vars.order }", buttons: [{id: "yes", displayText: "Yes"}]}
    wait: {timeout: 1h}
    retry: {max: 20, backoff: constant, initial: 2s}
  - id: answer
    type: whatsapp.sendText@1
    with: {instance: shop0, number: "5511999990001", contentText: "answer ${ vars.order }"}
    retry: {max: 20, backoff: constant, initial: 2s}
edges:
  - {from: "menu.reply:yes", to: answer}
`

// TestClusterAsynchronous shows what an asynchronous standby loses, as docs/cluster.md describes
// it: the server is lost with everything after the last change that reached the standby, and the
// standby takes over. A run that was started in that time is gone. Repeating its key starts it
// again, under the same id, so its message is shown twice. A tap of that time is lost, though it
// was acknowledged to WhatsApp: its run waits again, and a second tap repeats its step. Events keep
// their ids. Everything continues: the instance has its owner, and phones can read what it sends.
func TestClusterAsynchronous(t *testing.T) {
	t.Parallel()
	leftToCrash(t)
	both := startPair(t)
	both.primary.sql(t, "ALTER SYSTEM RESET synchronous_standby_names")
	both.primary.sql(t, "SELECT pg_reload_conf()::text")
	world, host := startMortalWorld(t, both.primary, lostFlow, "--listen", "127.0.0.1:0")
	c := &crash{t: t, host: host, base: both.primary}
	hears := c.listen()
	phone, err := world.Server().NewPhone(t.Context(), "5511999990001")
	if err != nil {
		t.Fatal(err)
	}
	start := func(order string) string {
		id, err := host.run(t.Context(), order, map[string]string{"order": order})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	tap := func(menu wasim.Message) {
		if _, err := phone.Click(t.Context(), menu, "yes", wasim.ShapeInteractive); err != nil {
			t.Fatal(err)
		}
	}
	has := func(id string, words ...string) func() bool {
		return func() bool {
			var history []byte
			err := host.control.get(t.Context(), http.MethodGet, v1("runs", id), nil, nil, &history)
			for _, w := range words {
				if !strings.Contains(string(history), w) {
					return false
				}
			}
			return err == nil
		}
	}
	shows := func(text string, times int) func() bool {
		return func() bool {
			n := 0
			for _, m := range phone.Inbox() {
				if m.Text == text {
					n++
				}
			}
			return n >= times
		}
	}
	before := start("before")
	menu := shownOn(t, phone, "menu before")
	eventually(t, "the first run waits", has(before, "wait.armed", "node.succeeded"))

	at := both.primary.sql(t, "SELECT pg_current_wal_flush_lsn()::text")
	eventually(t, "the standby knows it", func() bool {
		return both.standby.sql(t, "SELECT (pg_last_wal_replay_lsn() >= '"+at+"')::text") == "true"
	})
	both.standby.sql(t, "ALTER SYSTEM SET primary_conninfo = ''")
	both.standby.sql(t, "SELECT pg_reload_conf()::text")
	eventually(t, "the standby hears no more", func() bool { return both.standby.sql(t, "SELECT count(*)::text FROM pg_stat_wal_receiver") == "0" })

	tap(menu)
	shownOn(t, phone, "answer before")
	after := start("after")
	shownOn(t, phone, "menu after")
	eventually(t, "both are stored", func() bool { return has(before, "run.finished")() && has(after, "node.succeeded")() })
	both.fail(t)

	eventually(t, "the tap is lost, and its run waits", func() bool {
		return has(before, `"running"`)() && !has(before, "wait.answered")()
	})
	if has(after, "menu")() {
		t.Error("a run that the standby never heard of is there")
	}
	if again := start("after"); again != after {
		t.Errorf("the repeated key starts run %s, and not %s", again, after)
	}
	eventually(t, "the message of the lost run is shown again", shows("menu after", 2))
	tap(menu)
	eventually(t, "the lost step is made again", shows("answer before", 2))
	eventually(t, "the first run ends", has(before, "run.finished", "succeeded"))
	eventually(t, "the webhook has heard of it", func() bool { return hears.lacks(map[string]bool{"flow.run.ended.v1 " + before: true}) == "" })
	hears.mu.Lock()
	defer hears.mu.Unlock()
	for what, ids := range hears.told {
		if strings.HasPrefix(what, "flow.run.started") && len(ids) != 1 {
			t.Errorf("%s was told under %d ids", what, len(ids))
		}
	}
}
