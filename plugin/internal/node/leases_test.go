package node

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/send"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// leasedWorld is a world on Postgres whose host leases the instances.
func leasedWorld(t *testing.T) *world {
	t.Helper()
	dsn := sqldbtest.Postgres(t)
	sim, err := wasim.Start(wasim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, sim: sim, dir: t.TempDir(), dsn: dsn, leased: true, epoch: 1}
	w.begin()
	return w
}

// lists returns what the list says about the instance "shop"; nil if it is not there.
func (w *world) lists() *instanceOutput {
	w.t.Helper()
	var all allInstances
	w.must(w.call("whatsapp.instance.list@1", nil, &all))
	for _, i := range all.Instances {
		if i.Name == "shop" {
			return &i
		}
	}
	return nil
}

// listed waits until the list says that the instance is in a state.
func (w *world) listed(state pool.State) (i *instanceOutput) {
	w.t.Helper()
	w.until(func() bool { i = w.lists(); return i != nil && i.State == state })
	return i
}

// refuses expects a call for the instance to fail because another process owns it.
func (w *world) refuses(epoch uint64, retryable bool) {
	w.t.Helper()
	hello := raw(w.t, obj{"instance": "shop", "number": anaNumber, "contentText": "not from here"})
	_, err := w.node.Execute(w.ctx(), client.Request{Operation: send.OpText, Input: hello, LeaseEpoch: epoch}, nil)
	p := problemOf(w.t, err)
	if p.Code != "stale_epoch" || p.Effect != sdk.EffectNone || p.Retryable != retryable || p.Message == "" {
		w.t.Errorf("a send under epoch %d: %+v", epoch, p)
	}
}

// hello sends a text.
func (w *world) hello(text string) {
	w.t.Helper()
	w.must(w.call(send.OpText, obj{"instance": "shop", "number": anaNumber, "contentText": text}, nil))
}

// TestTwoHosts: an instance belongs to the process that claimed it last. The other one lets go by
// itself, reports its state, and its triggers continue.
func TestTwoHosts(t *testing.T) {
	t.Parallel()
	a := leasedWorld(t)
	b := a.peer()
	b.epoch = 2
	ana := a.customer(anaNumber)

	// Nobody has claimed it: it waits, and a caller is told so.
	health := a.watch()
	a.must(a.execute(client.Request{Operation: "whatsapp.instance.create@1", Input: raw(t, named{"shop"})}, nil))
	if h := health.until(t, a.ctx(), "on the board", reason("lease_unclaimed")); h.State != sdk.Starting || h.Message == "" {
		t.Errorf("health before the claim = %+v", h)
	}
	if i := b.lists(); i == nil || i.State != pool.New || i.LastError == nil || i.LastError.Code != "lease_unclaimed" {
		t.Errorf("the other process lists %+v", i)
	}
	a.refuses(0, true)
	b.refuses(0, true)

	account, err := a.sim.NewAccount(shopNumber)
	a.must(err)
	a.must(a.node.Claim(a.ctx(), "shop", 1))
	health.until(t, a.ctx(), "claimed", reason("new"))
	a.link("shop", account)
	device := account.Linked()[0]
	i := b.listed(pool.Connected)
	if i.Phone == nil || *i.Phone != shopNumber || i.LID == nil || i.LastError != nil || i.ConnectedAt == nil ||
		!i.ConnectedAt.Equal(*a.lists().ConnectedAt) {
		t.Errorf("the other process lists %+v, the owner %+v", i, a.lists())
	}
	b.refuses(0, true)
	menu := a.ask(menuTo(anaNumber), ana)
	taps := a.subscribe(opButtonClick, nil)

	// Its pause belongs to the instance, not to the process.
	a.customer(bobNumber)
	a.fault(wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageMessage, Recipient: bobNumber}, Times: 1,
		Action: wasim.Fault{AckError: &wasim.AckError{Code: 463}}})
	problemOf(t, a.call(send.OpText, textTo(bobNumber), nil))
	if p := b.paused(); p == nil || p.Reason != "new_chats_locked" {
		t.Errorf("the other process lists the pause %+v", p)
	}
	b.must(a.call("whatsapp.instance.resumeNewContacts@1", named{"shop"}, nil))
	if p := b.paused(); p != nil {
		t.Errorf("the other process lists the pause %+v that is over", p)
	}

	logins := device.Logins()
	a.must(b.node.Claim(b.ctx(), "shop", 2))
	b.watch().until(t, b.ctx(), "connected", healthy)
	health.until(t, a.ctx(), "off the board", func(h sdk.Health) bool { return h.Removed })
	a.refuses(0, false)
	a.refuses(1, false)
	b.hello("from B")
	a.must(b.node.Claim(b.ctx(), "shop", 2))
	if p := problemOf(t, a.node.Claim(a.ctx(), "shop", 1)); p.Code != "stale_epoch" || p.Effect != sdk.EffectNone {
		t.Errorf("an old claim: %+v", p)
	}
	if got := device.Logins(); got != logins+1 || !device.Online() {
		t.Errorf("%d logins since the claim, want one", got-logins)
	}

	began := time.Now()
	id, err := ana.Click(a.ctx(), menu, "sales", wasim.ShapeInteractive)
	a.must(err)
	var tap clicks.Clicked
	if e := a.next(taps, &tap); tap.MessageID != id || e.Correlation != "about How can we help?" {
		t.Errorf("%+v carries %+v", e, tap)
	}
	t.Logf("a tap that the other process received took %v", time.Since(began))
	if i := a.listed(pool.Connected); i.Phone == nil || *i.Phone != shopNumber {
		t.Errorf("the former owner lists %+v", i)
	}

	// An instance that is not wanted online stays offline, whoever claims it.
	a.must(b.under(2, "whatsapp.instance.disconnect@1", named{"shop"}))
	a.must(a.node.Claim(a.ctx(), "shop", 3))
	a.listed(pool.Disconnected)
	a.until(func() bool { return !device.Online() }) // the server has seen it go
	if got := device.Logins(); got != logins+1 {
		t.Errorf("a claim connected it: %d logins", got-logins)
	}
	b.refuses(2, false)

	a.must(a.under(3, "whatsapp.instance.delete@1", named{"shop"}))
	if i := b.lists(); i != nil {
		t.Errorf("the other process lists what is deleted: %+v", i)
	}
	if p := problemOf(t, b.node.Claim(b.ctx(), "shop", 4)); p.Code != "not_found" || p.Effect != sdk.EffectNone {
		t.Errorf("a claim of what is deleted: %+v", p)
	}
	b.must(b.execute(client.Request{Operation: "whatsapp.instance.create@1", Input: raw(t, named{"shop"})}, nil))
	a.must(a.node.Claim(a.ctx(), "shop", 1)) // another instance with the same name
	if i := a.lists(); i.State != pool.New || i.LastError != nil {
		t.Errorf("created anew, it is %+v", i)
	}
}

// TestHostsHearOfInstancesElsewhere: a subscription is behind while the instance of another process
// is away.
func TestHostsHearOfInstancesElsewhere(t *testing.T) {
	t.Parallel()
	a := leasedWorld(t)
	ana := a.customer(anaNumber)
	a.pair("shop", shopNumber)
	menu := a.ask(menuTo(anaNumber), ana)
	b := a.peer()

	news := make(chan string, 10)
	sub, err := b.node.Subscribe(b.ctx(), client.Start{Operation: opButtonClick, Subscriber: "test",
		CaughtUp: func() { news <- "caught up" },
		Behind:   func(subject string, behind bool) { news <- fmt.Sprint(subject, " ", behind) }})
	b.must(err)
	go func() {
		for {
			if _, err := sub.Recv(); err != nil {
				close(news)
				return
			}
			news <- "tap"
		}
	}()
	var heard []string
	until := func(word string) {
		t.Helper()
		for one := range news {
			if heard = append(heard, one); one == word {
				return
			}
		}
		t.Fatalf("heard %q and no %s", heard, word)
	}
	until("caught up")
	device := a.sim.Account(shopNumber).Linked()[0]
	device.Hold(true)
	_, err = ana.Click(a.ctx(), menu, "sales", wasim.ShapeInteractive)
	a.must(err)
	device.Drop()
	until("shop true")
	a.must(device.WaitActive(a.ctx()))
	device.Hold(false)
	until("shop false")
	if want := []string{"caught up", "shop true", "tap", "shop false"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
	heard = nil
	a.shut() // it has no owner
	until("shop true")
	if i := b.lists(); i.State != pool.Disconnected || i.LastError == nil || i.LastError.Code != "lease_unclaimed" {
		t.Errorf("without its process it is %+v", i)
	}
	b.must(b.node.Claim(b.ctx(), "shop", 2))
	until("shop false")
}

// TestChangesHandsQuickly: an instance that is claimed again before the last claim has taken effect
// ends up with its last claimant, and every process knows its state.
func TestChangesHandsQuickly(t *testing.T) {
	t.Parallel()
	a := leasedWorld(t)
	ana := a.customer(anaNumber)
	device := a.pair("shop", shopNumber).Linked()[0]
	all := []*world{a, a.peer(), a.peer()}
	last, epoch := a, uint64(1)
	for range 8 {
		for range 1 + rand.IntN(4) {
			last, epoch = all[rand.IntN(len(all))], epoch+1
			last.must(last.node.Claim(last.ctx(), "shop", epoch))
		}
		for _, w := range all {
			w.listed(pool.Connected)
		}
		a.until(device.Online)
	}
	for _, w := range all {
		if w != last {
			w.refuses(epoch-1, false)
		}
	}
	last.epoch = epoch
	last.hello("from the last")
	_, err := ana.Wait(a.ctx(), func(m wasim.Message) bool { return m.Text == "from the last" })
	a.must(err)
}

// TestLeasedOnSQLite: no two processes share a file, so nothing waits for a claim.
func TestLeasedOnSQLite(t *testing.T) {
	t.Parallel()
	sim, err := wasim.Start(wasim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, sim: sim, dir: t.TempDir(), leased: true}
	w.begin()
	ana := w.customer(anaNumber)
	account, err := sim.NewAccount(shopNumber)
	w.must(err)
	w.must(w.call("whatsapp.instance.create@1", named{"shop"}, nil))
	w.link("shop", account)
	w.ask(menuTo(anaNumber), ana)
	w.shut()
	w.start()
	w.listed(pool.Connected)
	w.hello("after a restart")
}
