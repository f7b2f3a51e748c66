package node

import (
	"testing"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// TestRetryKeepsTheButtons: a phone that could not decrypt a menu gets it again with
// its <biz>, from memory and, after a restart, from the ledger.
func TestRetryKeepsTheButtons(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		name := "running"
		if restart {
			name = "restarted"
		}
		t.Run(name, func(t *testing.T) {
			w, ana := shop(t, wasim.Options{})
			received := w.subscribe(opMessageReceived, nil)
			w.must(w.call(send.OpText, obj{"instance": "shop", "number": anaNumber, "contentText": "hello"}, nil))
			m, err := ana.Wait(w.ctx(), func(m wasim.Message) bool { return m.Text == "hello" })
			w.must(err)
			_, err = ana.SendText(w.ctx(), m.From, "hi") // from now on a damaged message cannot be read
			w.must(err)
			w.next(received, new(clicks.MessageReceived))

			w.until(func() bool { return ana.Device().Pending() == 0 }) // otherwise the fault would apply to "hello" once more
			ana.Disconnect()
			w.fault(wasim.FaultRule{
				Match: wasim.FaultMatch{Stage: wasim.StageDelivery, Account: anaNumber, Recipient: anaNumber},
				Times: 1, Action: wasim.Fault{Corrupt: true},
			})
			var out send.Output
			w.must(w.execute(client.Request{Operation: send.OpButtons, Input: raw(t, menuTo(anaNumber)), Key: "k"}, &out))
			if restart {
				w.shut()
				w.start()
				w.must(w.call("whatsapp.instance.connect@1", named{"shop"}, nil))
			}
			w.must(ana.Connect(w.ctx()))
			m, err = ana.WaitID(w.ctx(), out.MessageID)
			w.must(err)
			if m.Retry == 0 || m.Biz != 1 || len(m.Buttons) != 2 || m.Copies != 1 {
				t.Errorf("Ana sees %+v", m)
			}
			rec, _ := w.sim.Record(out.MessageID)
			if last := rec.Attempts[len(rec.Attempts)-1]; !last.Retry {
				t.Errorf("%d stanzas left, the last was no retry", len(rec.Attempts))
			}
			for _, a := range rec.Attempts {
				if a.Biz() != 1 {
					t.Errorf("a stanza left with %d <biz> (retry %v)", a.Biz(), a.Retry)
				}
			}
		})
	}
}

// TestRetryOfText: the same for a plain text, which has no <biz>.
func TestRetryOfText(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	received := w.subscribe(opMessageReceived, nil)
	_, err := ana.SendText(w.ctx(), w.sim.Account(shopNumber).LID(), "hi")
	w.must(err)
	w.next(received, new(clicks.MessageReceived))
	w.fault(wasim.FaultRule{
		Match: wasim.FaultMatch{Stage: wasim.StageDelivery, Account: anaNumber, Recipient: anaNumber},
		Times: 1, Action: wasim.Fault{Corrupt: true},
	})
	var out send.Output
	w.must(w.execute(client.Request{Operation: send.OpText, Input: raw(t, obj{"instance": "shop", "number": anaNumber, "contentText": "hello"}), Key: "k"}, &out))
	m, err := ana.WaitID(w.ctx(), out.MessageID)
	w.must(err)
	if m.Text != "hello" || m.Retry == 0 || m.Copies != 1 {
		t.Errorf("Ana sees %+v", m)
	}
}

// TestCutWire: the connection dies between the message and its acknowledgement.
func TestCutWire(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	w.fault(wasim.FaultRule{Match: toAna, Times: 1, Action: wasim.Fault{Disconnect: wasim.Before}})
	var out send.Output
	w.must(w.call(send.OpButtons, menuTo(anaNumber), &out))
	m, err := ana.WaitID(w.ctx(), out.MessageID)
	w.must(err)
	if m.Copies != 1 || m.Biz != 1 {
		t.Errorf("Ana sees %+v", m)
	}
}

func TestDelayShowsTyping(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	menu := menuTo(anaNumber)
	menu["delay"] = 2
	done := make(chan error, 1)
	go func() { done <- w.call(send.OpButtons, menu, nil) }()
	own := w.sim.Account(shopNumber).LID()
	w.must(ana.WaitTyping(w.ctx(), own, true))
	w.must(ana.WaitTyping(w.ctx(), own, false))
	w.must(<-done)
}

func TestQuotes(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	received := w.subscribe(opMessageReceived, nil)
	own := w.sim.Account(shopNumber).LID()
	_, err := ana.SendText(w.ctx(), own, "Are you open?")
	w.must(err)
	var r clicks.MessageReceived
	w.next(received, &r)

	text := obj{"instance": "shop", "number": r.Chat.JID, "contentText": "Yes", "replyTo": r.MessageID}
	var out, second send.Output
	w.must(w.call(send.OpText, text, &out))
	m, err := ana.WaitID(w.ctx(), out.MessageID)
	w.must(err)
	if m.Quoted != r.MessageID || out.ReplyTo.MessageID != r.MessageID {
		t.Errorf("Ana sees a quote of %q", m.Quoted)
	}

	menu := menuTo(anaNumber) // our own message can be quoted too
	menu["replyTo"] = out.MessageID
	w.must(w.call(send.OpButtons, menu, &second))
	m, err = ana.WaitID(w.ctx(), second.MessageID)
	w.must(err)
	if m.Quoted != out.MessageID || len(m.Buttons) != 2 {
		t.Errorf("Ana sees %+v", m)
	}
}

func TestGroupAndPrivateAnswer(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	bob := w.customer("5511988880002")
	team, err := w.sim.NewGroup("Team", w.sim.Account(shopNumber), ana.Account(), bob.Account())
	w.must(err)
	group := team.JID()
	clicked, received := w.subscribe(opButtonClick, obj{"chats": "group"}), w.subscribe(opMessageReceived, nil)

	var out send.Output
	menu := menuTo(group.String())
	w.must(w.call(send.OpButtons, menu, &out))
	for n, phone := range []*wasim.Phone{ana, bob} {
		m, err := phone.WaitID(w.ctx(), out.MessageID)
		w.must(err)
		if m.Biz != 1 || m.Chat != group {
			t.Errorf("in the group: %+v", m)
		}
		_, err = phone.Click(w.ctx(), m, "sales", "")
		w.must(err)
		var c clicks.Clicked
		w.next(clicked, &c)
		if c.Chat.Type != "group" || c.Chat.JID != group.String() || c.Sender.JID != phone.LID().String() || c.Click.N != n+1 {
			t.Errorf("click = %+v", c)
		}
	}

	_, err = bob.SendText(w.ctx(), group, "psst")
	w.must(err)
	var r clicks.MessageReceived
	w.next(received, &r)
	var private send.Output
	w.must(w.call(send.OpText, obj{"instance": "shop", "number": group.String(), "contentText": "to you only", "replyTo": r.MessageID, "replyPrivate": true}, &private))
	m, err := bob.WaitID(w.ctx(), private.MessageID)
	w.must(err)
	if m.Chat.Server != types.HiddenUserServer || m.Quoted != r.MessageID {
		t.Errorf("Bob sees %+v", m)
	}
	for _, m := range ana.Inbox() {
		if m.ID == private.MessageID {
			t.Error("Ana sees the private answer")
		}
	}
}

func TestNumberInBothForms(t *testing.T) {
	t.Parallel()
	w, _ := shop(t, wasim.Options{})
	old := w.customer("556199990001", wasim.Aliases("5561999990001")) // made before the ninth digit
	var out send.Output
	res, err := w.node.Execute(w.ctx(), client.Request{Operation: send.OpButtons, Input: raw(t, menuTo("5561999990001"))}, nil)
	w.must(err)
	unmarshal(t, res.Output, &out)
	if out.Chat.JID != old.LID().String() || *out.Chat.Phone != "556199990001" || len(res.Warnings) != 1 || res.Warnings[0].Code != "number_adjusted" {
		t.Errorf("output %+v, warnings %+v", out, res.Warnings)
	}
	_, err = old.WaitID(w.ctx(), out.MessageID)
	w.must(err)
}
