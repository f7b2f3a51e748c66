package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// conversation starts a run for every message of a chat, by a policy.
func conversation(policy string) string {
	return fmt.Sprintf(`
apiVersion: flow/v1
kind: Flow
metadata: {id: conversation}
triggers:
  - {id: any, type: whatsapp.messageReceived@1, concurrency: {key: "${ event.chat.jid }", policy: %s}, to: ask}
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with: {instance: demo, number: "1", contentText: "Menu ${ event.text }", buttons: [{id: a, displayText: A}]}
    wait: {timeout: 1h}
  - {id: a, type: whatsapp.sendText@1, with: {instance: demo, number: "1", contentText: A}}
edges:
  - {from: "ask.reply:a", to: a}
`, policy)
}

// Each of several messages of one chat begins a run as the policy says; another chat is not
// affected.
func TestConcurrency(t *testing.T) {
	for policy, want := range map[string]string{
		"parallel": "running running running",
		"ignore":   "running",
		"replace":  "cancelled cancelled running",
		"queue":    "running queued queued",
	} {
		t.Run(policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, engine.NewMemory(0), &phone{}, conversation(policy))
				defer r.stop()
				var ids []string
				for i := range 3 {
					d := r.deliver(words(fmt.Sprint("m", i), "", fmt.Sprint(i)))
					if again := r.deliver(words(fmt.Sprint("m", i), "", fmt.Sprint(i))); len(again.Started) > 0 {
						t.Errorf("the same message again started %v", again.Started)
					}
					ids = append(ids, d.Started...)
					time.Sleep(time.Minute)
				}
				statuses := func() string {
					var out []string
					for _, id := range ids {
						out = append(out, string(r.status(id)))
					}
					return strings.Join(out, " ")
				}
				if got := statuses(); got != want {
					t.Errorf("%s, want %s", got, want)
				}
				if policy != "queue" {
					return
				}
				r.deliver(click("e1", ids[0]+":ask:1", "a"))
				if got := statuses(); got != "succeeded running queued" || r.phone.count("Menu 1") != 1 {
					t.Errorf("after the first: %s", got)
				}
				if err := r.Cancel(context.Background(), ids[2], "enough"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Hour)
				if got := statuses(); got != "succeeded succeeded cancelled" || r.phone.count("Menu 2") != 0 {
					t.Errorf("at the end: %s", got)
				}
			})
		})
	}
}

const restart = `
apiVersion: flow/v1
kind: Flow
metadata: {id: restart}
triggers:
  - {id: word, type: whatsapp.messageReceived@1, match: {keywords: [menu]}, concurrency: {key: "${ event.chat.jid }", policy: replace}, to: ask}
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with: {instance: demo, number: "1", contentText: Menu, buttons: [{id: a, displayText: A}]}
    wait: {timeout: 1h}
  - {id: heard, type: whatsapp.sendText@1, with: {instance: demo, number: "1", contentText: "Heard ${ event.text }"}}
edges:
  - {from: ask.text, to: heard}
`

// A word that restarts the conversation is not an answer to the menu that waits.
func TestRestartWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, engine.NewMemory(0), &phone{}, restart)
		defer r.stop()
		first := r.deliver(words("m1", "", "menu")).Started[0]
		synctest.Wait()
		second := r.deliver(words("m2", first+":ask:1", "Menu")).Started
		if len(second) != 1 || r.status(first) != run.StatusCancelled || r.status(second[0]) != run.StatusRunning {
			t.Fatalf("the word started %v, the first run %s", second, r.status(first))
		}
		r.deliver(words("m3", second[0]+":ask:1", "hello"))
		if r.status(second[0]) != run.StatusSucceeded || r.phone.count("Heard hello") != 1 {
			t.Errorf("another word: %s", r.status(second[0]))
		}
	})
}
