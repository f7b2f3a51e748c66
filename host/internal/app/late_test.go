package app

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // moves the node's menus into the past

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/plugin/wasim"
)

const ana = "5511999990001"

const lateFlow = `
apiVersion: flow/v1
kind: Flow
metadata: {id: late, name: A menu for a week}
vars:
  type: object
  properties:
    phone: {type: string}
    order: {type: string}
triggers:
  - {id: start, type: manual, to: menu}
  - {id: refused, type: whatsapp.buttonClick@1, to: sorry, with: {refused: true}, when: "${ event.click.refused != nil }"}
nodes:
  - id: menu
    type: whatsapp.sendButtons@1
    with:
      instance: demo
      number: ${ vars.phone }
      contentText: order ${ vars.order }
      buttons: [{id: "yes", displayText: "Yes"}, {id: "no", displayText: "No"}]
      menu: {expiresIn: 604800, policy: all}
    wait: {timeout: 1s, late: restart}
  - id: remind
    type: whatsapp.sendText@1
    with: {instance: demo, number: "${ vars.phone }", contentText: "still there, ${ vars.order }?"}
  - id: agreed
    type: whatsapp.sendText@1
    with: {instance: demo, number: "${ event.chat.jid }", contentText: "yes to ${ vars.order }"}
  - id: declined
    type: whatsapp.sendText@1
    with: {instance: demo, number: "${ event.chat.jid }", contentText: "no to ${ vars.order }"}
  - id: sorry
    type: whatsapp.sendText@1
    with: {instance: demo, number: "${ event.chat.jid }", contentText: "refused: ${ event.click.refused }"}
edges:
  - {from: menu.timeout, to: remind}
  - {from: "menu.reply:yes", to: agreed}
  - {from: "menu.reply:no", to: declined}
`

// late is a customer with two menus whose waits are over.
type late struct {
	t    *testing.T
	a    *App
	ana  *wasim.Phone
	runs map[string]string // by order
	pid  int               // the process that was killed last
}

// ask starts a run and waits until its wait has ended in a reminder.
func (l *late) ask(order string) wasim.Message {
	l.t.Helper()
	id, err := l.a.Engine.Run(l.t.Context(), engine.Request{Flow: "late", Vars: map[string]any{"phone": ana, "order": order}})
	if err != nil {
		l.t.Fatal(err)
	}
	l.runs[order] = id
	m := l.sees("order " + order)
	l.sees("still there, " + order + "?")
	return m
}

// sees waits for a message with a text.
func (l *late) sees(text string) wasim.Message {
	l.t.Helper()
	m, err := l.ana.Wait(l.t.Context(), func(m wasim.Message) bool { return m.Text == text })
	if err != nil {
		l.t.Fatalf("Ana never saw %q: %v", text, err)
	}
	return m
}

func (l *late) click(m wasim.Message, button string) {
	l.t.Helper()
	if _, err := l.ana.Click(l.t.Context(), m, button, wasim.ShapeInteractive); err != nil {
		l.t.Fatal(err)
	}
}

// traced waits for a step of a run and returns it.
func (l *late) traced(order string, kind run.TraceKind) engine.Step {
	l.t.Helper()
	for step, err := range l.a.Engine.Watch(l.t.Context(), l.runs[order], 0) {
		if err != nil {
			l.t.Fatal(err)
		}
		if step.Kind == kind {
			return step
		}
	}
	l.t.Fatalf("run of order %s: no %s", order, kind)
	return engine.Step{}
}

// pass moves the node's menus into the past by a duration, and kills the node.
func (l *late) pass(d time.Duration) {
	l.t.Helper()
	files, err := filepath.Glob(filepath.Join(l.a.opt.DataDir, "nodes", "*", "store", "tapnode.db"))
	if err != nil || len(files) != 1 {
		l.t.Fatal(files, err)
	}
	db, err := sql.Open("sqlite", "file:"+files[0]+"?_pragma=busy_timeout(10000)")
	if err != nil {
		l.t.Fatal(err)
	}
	defer db.Close()
	_, err = db.ExecContext(l.t.Context(), `UPDATE tapnode_menus SET sent_at = sent_at - $1, created_at = created_at - $1, expires_at = expires_at - $1`, d.Milliseconds())
	if err != nil {
		l.t.Fatal(err)
	}
	l.pid = servingPID(l.t, l.a, l.pid)
	if err := syscall.Kill(l.pid, syscall.SIGKILL); err != nil {
		l.t.Fatal(err)
	}
}

// TestClickDaysLater: the waits are over, the runs have ended, and the node has been killed twice.
// A click still follows the edge of the menu it is on, once. The same click again is refused
// visibly, another choice follows its own edge, and a click that the menu itself refuses continues
// nothing.
func TestClickDaysLater(t *testing.T) {
	t.Parallel()
	a, s := open(t, lateFlow)
	start(t, a)
	if err := s.Connect(t.Context(), a.Execute, "demo"); err != nil {
		t.Fatal(err)
	}
	phone, err := s.Server().NewPhone(t.Context(), ana)
	if err != nil {
		t.Fatal(err)
	}
	l := &late{t: t, a: a, ana: phone, runs: map[string]string{}}
	older, newer := l.ask("17"), l.ask("18")

	const day = 24 * time.Hour
	l.pass(3 * day)
	l.pass(3 * day)
	l.click(older, "yes")
	l.sees("yes to 17")
	if step := l.traced("17", run.TraceWaitRestarted); step.Port != "reply:yes" {
		t.Errorf("restarted by %+v", step)
	}

	l.click(older, "yes")
	if step := l.traced("17", run.TraceWaitRefused); step.Code != "repeated" {
		t.Errorf("the same again: %+v", step)
	}
	l.click(older, "no")
	l.sees("no to 17")
	l.click(newer, "yes")
	l.sees("yes to 18")

	l.pass(2 * day)
	l.click(newer, "no")
	l.sees("refused: expired")
	seen := map[string]int{}
	for _, m := range phone.Inbox() {
		seen[m.Text]++
	}
	for text, n := range map[string]int{"yes to 17": 1, "no to 17": 1, "yes to 18": 1, "no to 18": 0, "refused: expired": 1} {
		if seen[text] != n {
			t.Errorf("Ana saw %q %d times, want %d", text, seen[text], n)
		}
	}
}

// TestFlowsOfThePages: the flows in the guides can be deployed as they stand.
func TestFlowsOfThePages(t *testing.T) {
	catalogue, err := NewCatalogue(install(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"clicks.md", "delivery.md"} {
		page, err := os.ReadFile("../../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(string(page), "```yaml\n")
		text, _, _ = strings.Cut(text, "```")
		program, findings, err := flow.Load([]byte(text), catalogue)
		if err != nil || program == nil || len(findings) > 0 {
			t.Error(name, err, findings)
		}
	}
}
