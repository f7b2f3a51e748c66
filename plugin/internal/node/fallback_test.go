package node

import (
	"fmt"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// withFallback is a menu that may be sent as text.
func withFallback() obj {
	menu := menuTo(anaNumber)
	menu["fallback"] = "text"
	return menu
}

// anyButtons are messages with buttons, and no others.
var anyButtons = wasim.FaultMatch{Stage: wasim.StageMessage, Recipient: anaNumber, Type: wasim.FaultTypeButtons}

// refuse makes the server refuse buttons to Ana, however often they are sent, until stop.
func (w *world) refuse(code int) (stop func()) {
	id, err := w.sim.AddFault(wasim.FaultRule{Match: anyButtons, Action: wasim.Fault{AckError: &wasim.AckError{Code: code}}})
	w.must(err)
	return func() { w.sim.DeleteFault(id) }
}

// TestRefusedButtonsFallBackToText: checks the fallback on the wire, in the answer, in the ledger,
// and in the reply: a number that somebody types is a click.
func TestRefusedButtonsFallBackToText(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	for _, code := range []int{405, 473, 479} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			key := fmt.Sprint("k", code)
			defer w.refuse(code)()
			var asText types.MessageID
			r := client.Request{Operation: send.OpButtons, Input: raw(t, withFallback()), Key: key, Correlation: "run-" + key}
			for repeat := range 3 {
				if repeat == 2 {
					w.shut()
					w.start()
				}
				res, err := w.node.Execute(w.ctx(), r, nil)
				w.must(err)
				out := outputOf(t, res)
				if repeat == 0 {
					asText = out.MessageID
				}
				if out.MessageID != asText || out.RenderedAs != "text" || out.MessageType != "buttons" || res.Replayed != (repeat > 0) ||
					len(res.Warnings) != 1 || res.Warnings[0].Code != "sent_as_text" || !strings.Contains(res.Warnings[0].Message, fmt.Sprint(code)) {
					t.Errorf("repeat %d: output %+v, warnings %+v, replayed %v", repeat, out, res.Warnings, res.Replayed)
				}
			}
			w.must(w.call("whatsapp.instance.connect@1", named{"shop"}, nil))
			asButtons := *w.message(obj{"key": key}).Replaces
			if rec, _ := w.sim.Record(asButtons); len(rec.Attempts) != 1 || rec.Attempts[0].Error != code || rec.Attempts[0].Biz() != 1 || len(rec.Deliveries) != 0 {
				t.Errorf("the buttons: %+v", rec)
			}
			if rec, _ := w.sim.Record(asText); len(rec.Attempts) != 1 || rec.Attempts[0].Error != 0 || rec.Attempts[0].Biz() != 0 {
				t.Errorf("the text: %+v", rec)
			}
			m, err := ana.WaitID(w.ctx(), asText)
			w.must(err)
			if m.Text != "How can we help?\n\n1. Talk to sales\n2. Support" {
				t.Errorf("Ana reads %q", m.Text)
			}
			text, refused := w.message(obj{"key": key}), w.message(obj{"messageId": asButtons})
			if text.MessageID != asText || *text.Replaces != asButtons || len(text.Warnings) != 1 || text.Operation != send.OpButtons ||
				refused.State != "failed" || *refused.ReplacedBy != asText || refused.Problem.Ack != code {
				t.Errorf("text %+v, refused %+v", text, refused)
			}
			_, err = ana.SendText(w.ctx(), m.From, "2")
			w.must(err)
			clicked := w.subscribe(opButtonClick, nil)
			var c clicks.Clicked
			e := w.next(clicked, &c)
			for e.Correlation != r.Correlation { // it was not acknowledged when the node ended
				e = w.next(clicked, &c)
			}
			if c.Button.ID != "support" || c.Menu.MessageID != asText {
				t.Errorf("click = %+v", c)
			}
		})
	}
	if n := len(ana.Inbox()); n != 3 {
		t.Errorf("Ana sees %d messages", n)
	}
}

// TestNoFallback: the fallback is not requested, or the refusal is not about the shape.
func TestNoFallback(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	w.writes(ana, "hello")
	for _, c := range []struct {
		code int
		menu obj
	}{{473, menuTo(anaNumber)}, {463, withFallback()}, {499, withFallback()}} {
		key := fmt.Sprint("k", c.code)
		stop := w.refuse(c.code)
		p := problemOf(t, w.execute(client.Request{Operation: send.OpButtons, Input: raw(t, c.menu), Key: key}, nil))
		if p.Code != "send_failed" || p.HTTPStatus != 500 || p.Effect != sdk.EffectNone || p.Retryable || !strings.HasPrefix(p.Message, "Failed to send buttons message: ") {
			t.Errorf("%d: %+v", c.code, p)
		}
		stop()
	}
	if n := len(ana.Inbox()); n != 0 {
		t.Errorf("Ana sees %d messages", n)
	}
}

// TestFallbackOverAKill kills the real binary between the refused buttons and the text. Ana never
// sees two messages, and sees one as soon as it is known that the buttons were refused.
func TestFallbackOverAKill(t *testing.T) {
	t.Parallel()
	texts := func(w *world) bool { // the server has the text
		return len(w.sim.Stanzas(func(s wasim.Stanza) bool {
			return s.Direction == wasim.In && s.Node.Tag == "message" && len(s.Node.GetChildrenByTag("biz")) == 0
		})) > 0
	}
	buttons := func(w *world) bool { // the server has the buttons
		return len(w.sim.Stanzas(func(s wasim.Stanza) bool {
			return s.Direction == wasim.In && s.Node.Tag == "message" && len(s.Node.GetChildrenByTag("biz")) > 0
		})) > 0
	}
	for _, c := range []struct {
		name  string
		fault wasim.FaultRule   // what the server does besides refusing the buttons
		when  func(*world) bool // the moment of the kill, seen from the server
		stage string            // or seen from the caller, by the progress
		want  bool              // whether Ana has the text in the end
	}{
		{"before the refusal is known", wasim.FaultRule{Match: anyButtons, Times: 1, Action: wasim.Fault{DropAck: true, DropDelivery: true}}, buttons, "", false},
		{"when the refusal is stored", wasim.FaultRule{}, nil, "fallback", true},
		{"when the text is out and not acknowledged", wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageMessage, Recipient: anaNumber, Nth: 2}, Action: wasim.Fault{DropAck: true}},
			texts, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, ana := shop(t, wasim.Options{})
			w.shut() // from now on in its own process
			if c.when != nil {
				w.fault(c.fault)
			}
			w.refuse(473)
			r := client.Request{Operation: send.OpButtons, Input: raw(t, withFallback()), Key: "k"}
			node := w.child()
			told, done := make(chan struct{}, 1), make(chan error, 1)
			go func() {
				_, err := node.Execute(w.ctx(), r, func(p client.Progress) {
					if p.Stage == c.stage {
						told <- struct{}{}
					}
				})
				done <- err
			}()
			if c.when != nil {
				w.until(func() bool { return c.when(w) })
			} else {
				<-told
			}
			node.kill()
			<-done

			node = w.child()
			_, err := node.Execute(w.ctx(), r, nil)
			if !c.want {
				if p := problemOf(t, err); p.Effect != sdk.EffectUnknown || !p.Retryable {
					t.Errorf("the repeat: %+v", p)
				}
			} else {
				w.must(err)
			}
			last, err := node.Execute(w.ctx(), client.Request{Operation: send.OpText, Input: raw(t, textTo(anaNumber)), Key: "last"}, nil)
			w.must(err)
			_, err = ana.WaitID(w.ctx(), outputOf(t, last).MessageID) // everything before it has arrived
			w.must(err)
			seen := ana.Inbox() // the wire may carry a message twice, under one id
			if had := len(seen) == 2; had != c.want || len(seen) > 2 || had && !strings.Contains(seen[0].Text, "1. Talk to sales") {
				t.Errorf("Ana sees %+v, want the text: %v", seen, c.want)
			}
		})
	}
}
