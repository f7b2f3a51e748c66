package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/send"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// TestRefusedQueryIsNoVerdict: if WhatsApp refuses a query before the message, nothing of the
// message was sent, its buttons are not considered refused, and its key stays as good as new.
func TestRefusedQueryIsNoVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		xmlns string
		code  int
		group bool
	}{
		{"w:g2", 503, true}, {"w:g2", 500, true}, {"w:g2", 429, true}, {"w:g2", 405, true}, {"w:g2", 479, true}, {"w:g2", 463, true},
		{"usync", 503, true}, {"usync", 473, true},
		{"usync", 500, false}, {"usync", 405, false}, {"encrypt", 475, false},
	} {
		t.Run(fmt.Sprint(c.xmlns, " ", c.code), func(t *testing.T) {
			w, ana := shop(t, wasim.Options{})
			to := anaNumber
			if c.group {
				team, err := w.sim.NewGroup("Team", w.sim.Account(shopNumber), ana.Account())
				w.must(err)
				to = team.JID().String()
			}
			menu := menuTo(to)
			menu["fallback"] = "text"
			w.fault(wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageIQ, Account: shopNumber, Type: c.xmlns},
				Action: wasim.Fault{IQError: &wasim.IQError{Code: c.code}}})
			r := client.Request{Operation: send.OpButtons, Input: raw(t, menu), Key: "k"}
			momentary := c.code >= 500 || c.code == 429
			if p := problemOf(t, w.execute(r, nil)); p.Code != "send_failed" || p.Effect != sdk.EffectNone || p.Retryable != momentary {
				t.Errorf("problem = %+v", p)
			}
			if w.left() != 0 || w.paused() != nil {
				t.Errorf("%d messages left, paused %v", w.left(), w.paused())
			}
			w.sim.ClearFaults()
			var out send.Output
			w.must(w.execute(r, &out))
			if m, err := ana.WaitID(w.ctx(), out.MessageID); err != nil || out.RenderedAs != "buttons" || len(m.Buttons) != 2 {
				t.Errorf("sent as %s, Ana sees %+v (%v)", out.RenderedAs, m, err)
			}
		})
	}
}

// TestRefusalAfterRefusal: if every attempt was answered, WhatsApp's refusal of the message is
// final, and refused buttons are sent as text.
func TestRefusalAfterRefusal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		first wasim.FaultRule
	}{
		{"after a refused query", wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageIQ, Account: shopNumber, Type: "usync"}, Times: 1,
			Action: wasim.Fault{IQError: &wasim.IQError{Code: 503}}}},
		{"after a refused message", wasim.FaultRule{Match: toAna, Times: 1, Action: wasim.Fault{AckError: &wasim.AckError{Code: 429}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, ana := shop(t, wasim.Options{})
			w.fault(c.first)
			r := client.Request{Operation: send.OpButtons, Input: raw(t, withFallback()), Key: "k"}
			if p := problemOf(t, w.execute(r, nil)); p.Effect != sdk.EffectNone || !p.Retryable {
				t.Errorf("problem = %+v", p)
			}
			w.fault(wasim.FaultRule{Match: toAna, Times: 1, Action: wasim.Fault{AckError: &wasim.AckError{Code: 473}}})
			var out send.Output
			w.must(w.execute(r, &out))
			if m, err := ana.WaitID(w.ctx(), out.MessageID); err != nil || out.RenderedAs != "text" || len(ana.Inbox()) != 1 {
				t.Errorf("sent as %s, Ana sees %+v (%v)", out.RenderedAs, m, err)
			}
		})
	}
}

// TestRefusalAfterLostAnswer: while a receipt may still come, the refusal of a repeat says nothing
// about the attempt before it; afterwards it does, and the key is settled.
func TestRefusalAfterLostAnswer(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	w.fault(wasim.FaultRule{Match: toAna, Times: 1, Action: wasim.Fault{DropAck: true, DropDelivery: true}})
	r := client.Request{Operation: send.OpButtons, Input: raw(t, withFallback()), Key: "k"}
	problemOf(t, w.execute(r, nil))
	asButtons := w.message(obj{"key": "k"}).MessageID
	w.refuse(473)
	if p := problemOf(t, w.execute(r, nil)); p.Effect != sdk.EffectUnknown || !p.Retryable {
		t.Errorf("at once: %+v", p)
	}
	w.shut()
	w.inStore(func(s *store.Store) {
		w.must(s.DB.Write(w.ctx(), "let time pass", func(t *sqldb.Tx) error {
			_, err := t.Exec(`UPDATE tapnode_ledger SET unknown_at = unknown_at - $1`, time.Hour.Milliseconds())
			return err
		}))
	})
	w.start()
	w.must(w.call("whatsapp.instance.connect@1", named{"shop"}, nil))
	var out send.Output
	w.must(w.execute(r, &out))
	if m, err := ana.WaitID(w.ctx(), out.MessageID); err != nil || out.RenderedAs != "text" || m.Text == "" {
		t.Errorf("sent as %s, Ana sees %+v (%v)", out.RenderedAs, m, err)
	}
	if state := w.message(obj{"messageId": asButtons}).State; state != "failed" {
		t.Errorf("the buttons are %s", state)
	}
}

// TestRepeatsAtOnce: a settled key is answered to any number of callers at the same time.
func TestRepeatsAtOnce(t *testing.T) {
	t.Parallel()
	w, _ := shop(t, wasim.Options{})
	r := client.Request{Operation: send.OpButtons, Input: raw(t, menuTo(anaNumber)), Key: "k"}
	w.must(w.execute(r, nil))
	const calls = 64
	failed := make(chan error, calls)
	for range calls {
		go func() { failed <- w.execute(r, nil) }()
	}
	for range calls {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

// TestGroupIsAskedForAnew: cached data of a group is dropped when WhatsApp says that it is stale; a
// message refused for that reason is encrypted again, and no refused message is reported as having
// arrived.
func TestGroupIsAskedForAnew(t *testing.T) {
	t.Parallel()
	for _, times := range []int{1, 2} {
		t.Run(fmt.Sprint(times, " refusals"), func(t *testing.T) {
			w, ana := shop(t, wasim.Options{})
			team, err := w.sim.NewNumberGroup("Team", w.sim.Account(shopNumber), ana.Account())
			w.must(err)
			group := team.JID().String()
			w.must(w.call(send.OpText, textTo(group), nil))
			asked := func() int {
				return len(w.sim.Stanzas(func(s wasim.Stanza) bool {
					return s.Direction == wasim.In && s.Node.Tag == "iq" && s.Node.Attrs["xmlns"] == "w:g2"
				}))
			}
			before := asked()
			w.fault(wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageMessage, Recipient: group}, Times: times,
				Action: wasim.Fault{AckError: &wasim.AckError{Code: 421}}})
			r := client.Request{Operation: send.OpButtons, Input: raw(t, menuTo(group)), Key: "k"}
			err = w.execute(r, nil)
			if times > 1 {
				if p := problemOf(t, err); p.Effect != sdk.EffectNone || !p.Retryable {
					t.Errorf("problem = %+v", p)
				}
				err = w.execute(r, nil)
			}
			w.must(err)
			if n := asked() - before; n != 1 {
				t.Errorf("the group was asked for %d times", n)
			}
		})
	}
}
