package node

import (
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// shop is a world with a connected instance and one customer.
func shop(t *testing.T, options wasim.Options) (*world, *wasim.Phone) {
	w := newWorld(t, options)
	ana := w.customer(anaNumber, wasim.PushName("Ana"))
	w.pair("shop", shopNumber)
	return w, ana
}

// toAna is every message to the customer.
var toAna = wasim.FaultMatch{Stage: wasim.StageMessage, Recipient: anaNumber}

func TestMenuAndClick(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	sub := w.subscribe(opButtonClick, nil)

	var out send.Output
	menu := menuTo(anaNumber)
	menu["headerText"], menu["footerText"], menu["source"] = "Shop", "We answer at once", "crm"
	w.must(w.execute(client.Request{Operation: send.OpButtons, Input: raw(t, menu), Correlation: "run-1/ask"}, &out))
	if out.Status != "sent" || out.MessageType != "buttons" || out.RenderedAs != "buttons" || out.Content != menu["contentText"] ||
		out.Chat.JID != ana.LID().String() || *out.Chat.LID != ana.LID().String() || *out.Chat.Phone != anaNumber || out.SentAt.IsZero() {
		t.Errorf("output = %+v", out)
	}

	m, err := ana.WaitID(w.ctx(), out.MessageID)
	w.must(err)
	if m.Text != menu["contentText"] || m.Header != "Shop" || m.Footer != "We answer at once" || len(m.Buttons) != 2 || m.Biz != 1 {
		t.Errorf("Ana sees %+v", m)
	}

	click, err := ana.Click(w.ctx(), m, "support", wasim.ShapeInteractive)
	w.must(err)
	var c clicks.Clicked
	e := w.next(sub, &c)
	if e.Correlation != "run-1/ask" || e.Subject != "shop" || e.Type != clicks.TypeClicked {
		t.Errorf("event = %+v", e)
	}
	if c.MessageID != click || c.Button.ID != "support" || c.Button.DisplayText != "Support" || *c.Button.Index != 1 ||
		c.Menu == nil || c.Menu.MessageID != out.MessageID || c.Menu.Source != "crm" || c.Menu.Correlation != "run-1/ask" ||
		c.MatchedBy != clicks.ByQuote || !c.Click.First || *c.Sender.Phone != anaNumber || c.Sender.Name != "Ana" {
		t.Errorf("click = %+v", c)
	}
}

// TestWordsTakeTheTextPort: a message that is not a click answers the chat's menu in words.
func TestWordsTakeTheTextPort(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	received, clicked := w.subscribe(opMessageReceived, nil), w.subscribe(opButtonClick, nil)
	var out send.Output
	w.must(w.execute(client.Request{Operation: send.OpButtons, Input: raw(t, menuTo(anaNumber)), Correlation: "run-2/ask"}, &out))
	m, err := ana.WaitID(w.ctx(), out.MessageID)
	w.must(err)
	_, err = ana.SendText(w.ctx(), m.From, "1") // a number is a click only on a menu that was sent as text
	w.must(err)
	var r clicks.MessageReceived
	e := w.next(received, &r)
	if e.Correlation != "run-2/ask" || r.Text != "1" || r.Menu == nil || r.Menu.MessageID != out.MessageID || r.MatchedBy != clicks.ByChat {
		t.Errorf("event %+v, message %+v", e, r)
	}
	_, err = ana.Click(w.ctx(), m, "sales", wasim.ShapeText)
	w.must(err)
	var c clicks.Clicked
	w.next(clicked, &c)
	if c.MatchedBy != clicks.ByText || c.Button.ID != "sales" {
		t.Errorf("click = %+v", c)
	}
	_, err = ana.SendText(w.ctx(), m.From, "bye")
	w.must(err)
	if w.next(received, &r); r.Text != "bye" { // the typed label was not delivered here as well
		t.Errorf("the next message is %q", r.Text)
	}
}
