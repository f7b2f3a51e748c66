package node

import (
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// peer is a second process on the same database. Processes share one on Postgres only: a state
// directory belongs to one process.
func (w *world) peer() *world {
	w.t.Helper()
	if w.dsn == "" {
		w.t.Skip("SQLite has no second process; see TestOnPostgres")
	}
	p := &world{t: w.t, sim: w.sim, dir: w.t.TempDir(), dsn: w.dsn, leased: w.leased}
	w.t.Cleanup(p.shut)
	p.start()
	return p
}

// under calls an operation under a lease.
func (w *world) under(epoch uint64, operation string, input any) error {
	return w.execute(client.Request{Operation: operation, Input: raw(w.t, input), LeaseEpoch: epoch}, nil)
}

// TestHandover: an instance moves from one process to another and back by the epoch of its lease.
// The process that lost it lets go, does not fight for the connection, and sends nothing.
func TestHandover(t *testing.T) {
	t.Parallel()
	const connect = "whatsapp.instance.connect@1"
	a := newWorld(t, wasim.Options{})
	ana := a.customer(anaNumber)
	account := a.pair("shop", shopNumber)
	device := account.Linked()[0]
	a.must(a.under(1, connect, named{"shop"}))
	hello := obj{"instance": "shop", "number": anaNumber, "contentText": "from A"}
	a.must(a.under(1, send.OpText, hello))
	health := a.watch()
	health.until(t, a.ctx(), "healthy", healthy)

	b := a.peer()
	var list allInstances
	b.must(b.call("whatsapp.instance.list@1", nil, &list))
	if e := list.Instances[0].LastError; e == nil || e.Code != "lease_unclaimed" || e.Message == "" {
		t.Errorf("the second process lists %+v", list.Instances[0])
	}
	stale := func(w *world, epoch uint64, operation string, input any) {
		t.Helper()
		if p := problemOf(t, w.under(epoch, operation, input)); p.Code != "stale_epoch" || p.Effect != sdk.EffectNone {
			t.Errorf("%s under epoch %d: %+v", operation, epoch, p)
		}
	}
	stale(b, 0, send.OpText, hello)

	b.must(b.under(2, connect, named{"shop"}))
	if h := health.until(t, a.ctx(), "without its lease", reason("lease_lost")); h.State != sdk.Unhealthy || h.Message == "" {
		t.Errorf("health = %+v", h)
	}
	logins, sent := device.Logins(), len(a.outgoing())
	for _, epoch := range []uint64{0, 1} {
		stale(a, epoch, send.OpText, hello)
	}
	for _, operation := range []string{connect, "whatsapp.instance.disconnect@1", "whatsapp.instance.logout@1", "whatsapp.instance.delete@1"} {
		stale(a, 1, operation, named{"shop"})
	}
	if got := len(a.outgoing()); got != sent {
		t.Errorf("the old owner sent %d messages", got-sent)
	}

	b.must(b.under(2, send.OpText, obj{"instance": "shop", "number": anaNumber, "contentText": "from B"}))
	if device.Logins() != logins || !device.Online() {
		t.Errorf("the processes fought for the connection: %d logins more", device.Logins()-logins)
	}

	a.must(a.under(3, connect, named{"shop"})) // and back: A reads the session again
	a.must(a.under(3, send.OpText, obj{"instance": "shop", "number": anaNumber, "contentText": "from A again"}))
	stale(b, 2, send.OpText, hello)
	_, err := ana.Wait(a.ctx(), func(m wasim.Message) bool { return m.Text == "from A again" })
	a.must(err)
	for n, want := range []string{"from A", "from B", "from A again"} {
		if all := ana.Inbox(); len(all) != 3 || all[n].Text != want || all[n].Copies != 1 {
			t.Fatalf("Ana sees %+v, want %q once in place %d of 3", all, want, n+1)
		}
	}
}

// outgoing is every message that reached WhatsApp.
func (w *world) outgoing() []wasim.Stanza {
	return w.sim.Stanzas(func(s wasim.Stanza) bool { return s.Direction == wasim.In && s.Node.Tag == "message" })
}
