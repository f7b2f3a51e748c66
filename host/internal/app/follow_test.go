package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/host/internal/sim"
	"github.com/tapnode/tapnode/plugin/wasim"
)

// wordFlow is a flow that answers every message that is one of the words, or any message if there
// are no words.
func wordFlow(id string, version int, words ...string) string {
	filter := ""
	if len(words) > 0 {
		filter = fmt.Sprintf(", with: {keywords: [%s]}", strings.Join(words, ", "))
	}
	return fmt.Sprintf(`
apiVersion: flow/v1
kind: Flow
metadata: {id: %s, version: %d}
triggers: [{id: word, type: whatsapp.messageReceived@1, to: answer%s}]
nodes:
  - {id: answer, type: whatsapp.sendText@1, with: {instance: demo, number: "${ event.chat.jid }", contentText: "%s %d heard ${ event.text }"}}
`, id, version, filter, id, version)
}

// changing is a host whose flows change while a customer writes.
type changing struct {
	t   *testing.T
	a   *App
	s   *sim.Simulation
	ana *wasim.Phone
	log *sqllog.Log
	opt Options
}

func (c *changing) keep(o *Options) {
	c.t.Helper()
	var err error
	if c.log, err = sqllog.Open(c.t.Context(), sqllog.Options{Dir: o.DataDir, Logger: o.Logger}); err != nil {
		c.t.Fatal(err)
	}
	o.Log = c.log
	c.opt = *o
}

func (c *changing) deploy(src string) {
	c.t.Helper()
	program, findings, err := flow.Load([]byte(src), c.a.Catalogue)
	if err != nil {
		c.t.Fatal(err, findings)
	}
	if err := c.a.Deploy(c.t.Context(), program); err != nil {
		c.t.Fatal(err)
	}
}

func (c *changing) write(words string) {
	c.t.Helper()
	if err := c.s.Write(c.t.Context(), ana, "demo", words); err != nil {
		c.t.Fatal(err)
	}
}

func (c *changing) sees(text string) {
	c.t.Helper()
	if _, err := c.ana.Wait(c.t.Context(), func(m wasim.Message) bool { return m.Text == text }); err != nil {
		c.t.Fatalf("Ana never saw %q: %v; she saw %v", text, err, c.seen())
	}
}

// seen counts the messages by text.
func (c *changing) seen() map[string]int {
	out := map[string]int{}
	for _, m := range c.ana.Inbox() {
		out[m.Text]++
	}
	return out
}

// TestTriggersFollowFlows: when a trigger is published, changed or retired while the host runs, the
// change applies to the messages from then on. Each message is handled once, including those that
// come while the node or the host is down.
func TestTriggersFollowFlows(t *testing.T) {
	t.Parallel()
	c := &changing{t: t}
	c.a, c.s = open(t, wordFlow("first", 1, "red"), c.keep)
	defer func() {
		stop(t, c.a)
		if err := c.log.Close(); err != nil {
			t.Error(err)
		}
	}()
	c.begin()
	var err error
	if c.ana, err = c.s.Server().NewPhone(t.Context(), ana); err != nil {
		t.Fatal(err)
	}
	c.write("red")
	c.sees("first 1 heard red")

	c.write("green") // no trigger takes it yet
	c.write("red")   // when this has been answered, green has been read
	c.wait("first 1 heard red", 2)
	c.deploy(wordFlow("second", 1, "green", "blue"))
	c.deploy(wordFlow("first", 2, "yellow"))
	c.write("red")
	c.write("yellow")
	c.sees("first 2 heard yellow")
	c.write("blue")
	c.sees("second 1 heard blue")

	if err := syscall.Kill(servingPID(t, c.a, 0), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.write("green")
	c.sees("second 1 heard green")

	// The host stops. Messages that come meanwhile are read after its restart, also by a flow that
	// is new then.
	stop(t, c.a)
	if err := c.log.Close(); err != nil {
		t.Fatal(err)
	}
	c.write("yellow")
	c.write("white")
	c.keep(&c.opt)
	if c.a, err = Open(c.opt); err != nil {
		t.Fatal(err)
	}
	c.deploy(wordFlow("first", 2, "yellow"))
	c.deploy(wordFlow("second", 1, "green", "blue"))
	c.deploy(wordFlow("third", 1)) // takes everything
	c.begin()
	c.wait("first 2 heard yellow", 2)
	c.sees("third 1 heard white")
	c.write("black")
	c.sees("third 1 heard black")

	want := map[string]int{"first 1 heard red": 2, "first 2 heard yellow": 2, "second 1 heard blue": 1, "second 1 heard green": 1,
		"third 1 heard yellow": 1, "third 1 heard white": 1, "third 1 heard black": 1}
	if got := c.seen(); !maps.Equal(got, want) {
		t.Errorf("Ana saw\n%v, want\n%v", got, want)
	}
	runs := map[string]bool{}
	for step, err := range c.a.Engine.Watch(t.Context(), "", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if runs[step.Run] = true; step.Kind == run.TraceNodeSucceeded && step.MessageID == c.last("third 1 heard black") {
			break
		}
	}
	if len(runs) != 9 { // as many as there are answers
		t.Errorf("%d runs: %v", len(runs), slices.Sorted(maps.Keys(runs)))
	}
}

// begin starts the host and its instance.
func (c *changing) begin() {
	c.t.Helper()
	if err := c.a.Start(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	if err := c.s.Connect(c.t.Context(), c.a.Execute, "demo"); err != nil {
		c.t.Fatal(err)
	}
}

// wait waits until Ana has seen a text that many times.
func (c *changing) wait(text string, times int) {
	c.t.Helper()
	n := 0
	_, err := c.ana.Wait(c.t.Context(), func(m wasim.Message) bool {
		if m.Text == text {
			n++
		}
		return n == times
	})
	if err != nil {
		c.t.Fatalf("Ana saw %q %d times: %v", text, n, err)
	}
}

// last returns the id of the newest message with a text.
func (c *changing) last(text string) (id string) {
	for _, m := range c.ana.Inbox() {
		if m.Text == text {
			id = m.ID
		}
	}
	return id
}
