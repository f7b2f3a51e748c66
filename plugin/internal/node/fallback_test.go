package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"

	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
)

// withFallback is a menu that may go out as text.
func withFallback() obj {
	menu := menuTo(anaNumber)
	menu["fallback"] = "text"
	return menu
}

// refuse lets the server refuse one message, however often it comes.
func (w *world) refuse(id types.MessageID, code int) {
	w.fault(wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageMessage, MessageID: id},
		Action: wasim.Fault{AckError: &wasim.AckError{Code: code}}})
}

// TestRefusedButtonsFallBackToText: on the wire, in the answer, in the ledger, and back:
// the number that somebody types is a click.
func TestRefusedButtonsFallBackToText(t *testing.T) {
	w, ana := shop(t, wasim.Options{})
	for _, code := range []int{405, 473, 479} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			key := fmt.Sprint("k", code)
			asButtons, asText := ledger.MessageID("shop", send.OpButtons, key), ledger.MessageID("shop", send.ScopeFallback, key)
			w.refuse(asButtons, code)
			r := client.Request{Operation: send.OpButtons, Input: raw(t, withFallback()), Key: key, Correlation: "run-" + key}
			for repeat := range 3 {
				if repeat == 2 {
					w.shut()
					w.start()
				}
				res, err := w.node.Execute(w.ctx(), r, nil)
				w.must(err)
				out := outputOf(t, res)
				if out.MessageID != asText || out.RenderedAs != "text" || out.MessageType != "buttons" || res.Replayed != (repeat > 0) ||
					len(res.Warnings) != 1 || res.Warnings[0].Code != "sent_as_text" || !strings.Contains(res.Warnings[0].Message, fmt.Sprint(code)) {
					t.Errorf("repeat %d: output %+v, warnings %+v, replayed %v", repeat, out, res.Warnings, res.Replayed)
				}
			}
			w.must(w.call("whatsapp.instance.connect@1", named{"shop"}, nil))
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
			for e.Correlation != r.Correlation { // not acknowledged when the node ended
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

// TestNoFallback: it is not asked for, or the refusal is not about the shape.
func TestNoFallback(t *testing.T) {
	w, ana := shop(t, wasim.Options{})
	w.writes(ana, "hello")
	for _, c := range []struct {
		code int
		menu obj
	}{{473, menuTo(anaNumber)}, {463, withFallback()}, {499, withFallback()}} {
		key := fmt.Sprint("k", c.code)
		w.refuse(ledger.MessageID("shop", send.OpButtons, key), c.code)
		p := problemOf(t, w.execute(client.Request{Operation: send.OpButtons, Input: raw(t, c.menu), Key: key}, nil))
		if p.Code != "send_failed" || p.HTTPStatus != 500 || p.Effect != sdk.EffectNone || p.Retryable || !strings.HasPrefix(p.Message, "Failed to send buttons message: ") {
			t.Errorf("%d: %+v", c.code, p)
		}
	}
	if n := len(ana.Inbox()); n != 0 {
		t.Errorf("Ana sees %d messages", n)
	}
}

// TestFallbackOverAKill kills the real binary between the refused buttons and the text.
// Ana never sees two messages; and one as soon as it is known that the buttons were
// refused.
func TestFallbackOverAKill(t *testing.T) {
	asButtons, asText := ledger.MessageID("shop", send.OpButtons, "k"), ledger.MessageID("shop", send.ScopeFallback, "k")
	for _, c := range []struct {
		name  string
		fault wasim.FaultRule   // what the server does, beside refusing the buttons
		when  func(*world) bool // the moment, seen from the server
		stage string            // or from the caller, by the progress
		want  []types.MessageID // in Ana's inbox in the end
	}{
		{"before the refusal is known", wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageMessage, MessageID: asButtons}, Times: 1, Action: wasim.Fault{DropAck: true, DropDelivery: true}},
			func(w *world) bool { rec, _ := w.sim.Record(asButtons); return len(rec.Attempts) > 0 }, "", nil},
		{"when the refusal is stored", wasim.FaultRule{}, nil, "fallback", []types.MessageID{asText}},
		{"when the text is out and not acknowledged", wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageMessage, MessageID: asText}, Times: 1, Action: wasim.Fault{DropAck: true}},
			func(w *world) bool { rec, _ := w.sim.Record(asText); return len(rec.Attempts) > 0 }, "", []types.MessageID{asText}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, ana := shop(t, wasim.Options{})
			w.shut() // from here on in its own process
			if c.when != nil {
				w.fault(c.fault)
			}
			w.refuse(asButtons, 473)
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
			if len(c.want) == 0 {
				if p := problemOf(t, err); p.Effect != sdk.EffectUnknown || !p.Retryable {
					t.Errorf("the repeat: %+v", p)
				}
			} else {
				w.must(err)
				_, err = ana.WaitID(w.ctx(), asText)
				w.must(err)
			}
			_, err = node.Execute(w.ctx(), client.Request{Operation: send.OpText, Input: raw(t, textTo(anaNumber)), Key: "last"}, nil)
			w.must(err)
			_, err = ana.WaitID(w.ctx(), ledger.MessageID("shop", send.OpText, "last")) // everything before it has arrived
			w.must(err)
			var seen []types.MessageID
			for _, m := range ana.Inbox() { // the wire may carry a message twice, under one id
				seen = append(seen, m.ID)
			}
			if !slices.Equal(seen[:len(seen)-1], c.want) {
				t.Errorf("Ana sees %v, want %v", seen, c.want)
			}
		})
	}
}
