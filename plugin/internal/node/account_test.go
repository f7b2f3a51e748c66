package node

import (
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/internal/send"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// TestAnotherAccount: when the instance is paired with another account, what the previous account
// sent and received has no effect for it, and the keys of its sends still answer.
func TestAnotherAccount(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	w.writes(ana, "good morning")
	received := w.subscribe(opMessageReceived, nil)
	menu := menuTo(anaNumber)
	menu["fallback"] = "text"
	sent := client.Request{Operation: send.OpButtons, Input: raw(t, menu), Key: "menu-1"}
	w.fault(wasim.FaultRule{Match: toAna, Times: 1, Action: wasim.Fault{AckError: &wasim.AckError{Code: 473}}})
	w.must(w.execute(sent, nil))
	lost := client.Request{Operation: send.OpText, Input: raw(t, textTo(anaNumber)), Key: "text-1"}
	w.fault(wasim.FaultRule{Match: toAna, Times: 1, Action: wasim.Fault{DropAck: true}})
	ana.Disconnect() // otherwise her receipt would settle the send
	if p := problemOf(t, w.execute(lost, nil)); p.Effect != sdk.EffectUnknown {
		t.Fatalf("a message without an answer: %+v", p)
	}

	w.must(w.call("whatsapp.instance.logout@1", named{"shop"}, nil))
	other, err := w.sim.NewAccount("551140000002")
	w.must(err)
	w.link("shop", other)
	w.must(ana.Connect(w.ctx()))

	if _, err := ana.SendText(w.ctx(), other.LID(), "1"); err != nil { // the menu's first answer
		t.Fatal(err)
	}
	var r clicks.MessageReceived
	for r.Text != "1" {
		w.next(received, &r)
	}
	if r.Menu != nil {
		t.Errorf("words to this account are an answer to the menu of the one before: %+v", r.Menu)
	}
	w.must(w.execute(sent, nil)) // answered as before
	if p := problemOf(t, w.execute(lost, nil)); p.Code != "account_changed" || p.Effect != sdk.EffectUnknown || p.Retryable {
		t.Errorf("the message without an answer, again: %+v", p)
	}
	for _, m := range ana.Inbox() {
		if m.From.User == other.LID().User {
			t.Errorf("this account sent what was the other's: %+v", m)
		}
	}
}

// TestTwoInstancesOnOneNumber: both report it, in the list and in their health.
func TestTwoInstancesOnOneNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wasim.Options{})
	account := w.pair("shop", shopNumber)
	v := w.watch()
	w.must(w.call("whatsapp.instance.create@1", named{"twin"}, nil))
	w.link("twin", account)
	if h := v.until(t, w.ctx(), "told", reason("same_account")); h.State != sdk.Degraded {
		t.Errorf("health = %+v", h)
	}
	var all allInstances
	w.must(w.call("whatsapp.instance.list@1", nil, &all))
	for _, i := range all.Instances {
		if i.State != "connected" || i.LastError == nil || i.LastError.Code != "same_account" {
			t.Errorf("%s: %s, %+v", i.Name, i.State, i.LastError)
		}
	}
}
