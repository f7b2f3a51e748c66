package node

import (
	"fmt"
	"path/filepath"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/plugin/wasim/bare"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

const bobNumber = "5511988880002"

// everything lets all clicks through.
var everything = obj{"unknownMenus": true, "refused": true}

// ask sends a menu and waits until a phone shows it.
func (w *world) ask(menu obj, phone *wasim.Phone) wasim.Message {
	w.t.Helper()
	var out send.Output
	w.must(w.execute(client.Request{Operation: send.OpButtons, Input: raw(w.t, menu), Correlation: fmt.Sprint("about ", menu["contentText"])}, &out))
	m, err := phone.WaitID(w.ctx(), out.MessageID)
	w.must(err)
	return m
}

// claim is a click that anybody could forge.
func claim(button, quoted string) *waE2E.Message {
	info := &waE2E.ContextInfo{}
	if quoted != "" {
		info.StanzaID = proto.String(quoted)
	}
	return &waE2E.Message{InteractiveResponseMessage: &waE2E.InteractiveResponseMessage{
		ContextInfo: info,
		InteractiveResponseMessage: &waE2E.InteractiveResponseMessage_NativeFlowResponseMessage_{
			NativeFlowResponseMessage: &waE2E.InteractiveResponseMessage_NativeFlowResponseMessage{
				Name: proto.String("quick_reply"), ParamsJSON: proto.String(fmt.Sprintf(`{"id":%q}`, button)),
			},
		},
	}}
}

// TestEveryShapeOfAClick presses in every way a phone may report it.
func TestEveryShapeOfAClick(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	clicked, received := w.subscribe(opButtonClick, everything), w.subscribe(opMessageReceived, nil)
	m := w.ask(menuTo(anaNumber), ana)
	n := 0
	for _, chat := range []types.JID{w.sim.Account(shopNumber).LID(), w.sim.Account(shopNumber).JID()} {
		for _, shape := range wasim.Shapes() {
			for i, options := range [][]wasim.ClickOption{nil, {wasim.Ephemeral()}, {wasim.NoQuote()}, {wasim.NoQuote(), wasim.Ephemeral()}} {
				quoted := i < 2
				way := fmt.Sprintf("to %s, %s, quoted %v, %d options", chat.Server, shape, quoted, len(options))
				m.Chat = chat
				id, err := ana.Click(w.ctx(), m, "support", shape, options...)
				w.must(err)
				if shape == wasim.ShapeText && !quoted { // indistinguishable from any other text
					var r clicks.MessageReceived
					if w.next(received, &r); r.MessageID != id || r.Menu == nil || r.Menu.MessageID != m.ID || r.MatchedBy != clicks.ByChat {
						t.Errorf("%s: %+v", way, r)
					}
					continue
				}
				n++
				var c clicks.Clicked
				e := w.next(clicked, &c)
				by := clicks.ByChat
				switch {
				case shape == wasim.ShapeText:
					by = clicks.ByText
				case quoted:
					by = clicks.ByQuote
				}
				if c.MessageID != id || string(c.Form) != string(shape) || c.MatchedBy != by || c.Ambiguous || e.Correlation == "" {
					t.Errorf("%s: %+v", way, c)
				}
				if c.Button.ID != "support" || *c.Button.Index != 1 || c.Menu == nil || c.Menu.MessageID != m.ID || c.Click.N != n || c.Click.First != (n == 1) {
					t.Errorf("%s: %+v", way, c)
				}
				if *c.Sender.LID != ana.LID().String() || *c.Sender.Phone != anaNumber || *c.Chat.LID != *c.Sender.LID || c.Chat.Type != "private" {
					t.Errorf("%s: from %+v in %+v", way, c.Sender, c.Chat)
				}
			}
		}
	}
}

// TestClaims: the contents of a click are believed only where a menu of ours confirms them.
func TestClaims(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	bob := w.customer(bobNumber)
	sub := w.subscribe(opButtonClick, everything)
	first := w.ask(menuTo(anaNumber), ana)
	second := menuTo(anaNumber)
	second["buttons"] = []obj{{"id": "sales", "displayText": "Sales"}, {"id": "more", "displayText": "More"}, {"id": "https://example.com", "displayText": "Site", "type": "URL"}}
	newer := w.ask(second, ana)
	us := first.Chat

	for _, tc := range []struct {
		name           string
		phone          *wasim.Phone
		button, quoted string
		menu           string
		by             clicks.MatchedBy
		ambiguous      bool
	}{
		{"the older menu, named", ana, "sales", first.ID, first.ID, clicks.ByQuote, false},
		{"the newer menu, named", ana, "sales", newer.ID, newer.ID, clicks.ByQuote, false},
		{"on both, none named", ana, "sales", "", newer.ID, clicks.ByChat, true},
		{"on the older only, none named", ana, "support", "", first.ID, clicks.ByChat, false},
		{"a button of another menu", ana, "more", first.ID, "", clicks.ByNone, false},
		{"no such button", ana, "refund", newer.ID, "", clicks.ByNone, false},
		{"a button that sends no clicks", ana, "https://example.com", newer.ID, "", clicks.ByNone, false},
		{"a message that is none of ours", ana, "sales", "3EB000000000000000000000", "", clicks.ByNone, false},
		{"a menu of another chat", bob, "sales", first.ID, "", clicks.ByNone, false},
		{"a button of another chat", bob, "sales", "", "", clicks.ByNone, false},
	} {
		id, err := tc.phone.Send(w.ctx(), us, claim(tc.button, tc.quoted))
		w.must(err)
		var c clicks.Clicked
		e := w.next(sub, &c)
		found := ""
		if c.Menu != nil {
			found = c.Menu.MessageID
		}
		if c.MessageID != id || found != tc.menu || c.MatchedBy != tc.by || c.Ambiguous != tc.ambiguous || c.RawID != tc.button {
			t.Errorf("%s: %+v", tc.name, c)
		}
		if (e.Correlation == "") != (tc.menu == "") || (c.Button.Index == nil) != (tc.menu == "") || (c.Click.N == 0) != (tc.menu == "") {
			t.Errorf("%s: correlation %q, %+v", tc.name, e.Correlation, c)
		}
	}
}

// TestAgain: a press that WhatsApp delivers twice is one click; two presses on two devices of one
// person are two clicks of one person.
func TestAgain(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	sub := w.subscribe(opButtonClick, everything)
	m := w.ask(menuTo(anaNumber), ana)
	us := w.sim.Account(shopNumber).Linked()[0]

	us.Deafen() // the acknowledgement of the click does not arrive
	id, err := ana.Click(w.ctx(), m, "sales", "")
	w.must(err)
	var c clicks.Clicked
	if w.next(sub, &c); c.MessageID != id || c.Click.N != 1 {
		t.Errorf("click = %+v", c)
	}
	us.Drop()

	store, err := bare.Open(w.ctx(), bare.Options{File: filepath.Join(t.TempDir(), "ana.db"), Sync: bare.Off, Server: w.sim.URL(), RootKey: w.sim.RootKey()})
	w.must(err)
	defer store.Close()
	desktop, err := store.Pair(w.ctx(), ana.Account())
	w.must(err)
	defer desktop.Disconnect()
	second, err := desktop.Send(w.ctx(), m.Chat, claim("sales", m.ID), nil)
	w.must(err)
	if w.next(sub, &c); c.MessageID != second || c.Click.N != 2 || c.Click.First || c.Sender.JID != ana.LID().String() {
		t.Errorf("from the desktop: %+v", c)
	}
	rec, _ := w.sim.Record(id)
	if n := len(rec.Deliveries); n < 2 {
		t.Errorf("the first click was delivered %d times", n)
	}

	once := w.ask(rules(anaNumber, obj{"policy": "oncePerPerson"}), ana)
	byPhone := once
	byPhone.Chat = w.sim.Account(shopNumber).JID()
	for _, press := range []struct {
		want string
		tap  func() (types.MessageID, error)
	}{
		{"", func() (types.MessageID, error) { return ana.Click(w.ctx(), once, "sales", "") }},
		{"repeated", func() (types.MessageID, error) { return ana.Click(w.ctx(), byPhone, "support", "") }},
		{"repeated", func() (types.MessageID, error) { return desktop.Send(w.ctx(), once.Chat, claim("sales", once.ID), nil) }},
	} {
		id, err := press.tap()
		w.must(err)
		if w.next(sub, &c); c.MessageID != id || verdict(c) != press.want {
			t.Errorf("once per person: %+v, want %q", c, press.want)
		}
	}
}

// TestOwnEcho: a click by the account's owner on the phone is not a customer's click.
func TestOwnEcho(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wasim.Options{})
	ana, owner := w.customer(anaNumber), w.customer(shopNumber)
	w.must(w.call("whatsapp.instance.create@1", named{"shop"}, nil))
	w.link("shop", owner.Account())
	sub := w.subscribe(opButtonClick, everything)
	m := w.ask(menuTo(anaNumber), ana)

	echo, err := owner.Send(w.ctx(), ana.LID(), claim("sales", m.ID))
	w.must(err)
	id, err := ana.Click(w.ctx(), m, "support", "")
	w.must(err)
	var c clicks.Clicked
	if w.next(sub, &c); c.MessageID != id || !c.Click.First {
		t.Errorf("click = %+v", c)
	}
	rec, _ := w.sim.Record(echo)
	for _, d := range rec.Deliveries {
		if d.To.User == shopNumber && d.To.Device != 0 {
			return
		}
	}
	t.Error("the echo never reached the node, so nothing was ignored")
}

// TestAnswersInWords: clients without buttons answer by number or label.
func TestAnswersInWords(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	clicked, received := w.subscribe(opButtonClick, everything), w.subscribe(opMessageReceived, nil)
	asText := func(text string) wasim.Message {
		w.fault(wasim.FaultRule{Match: toAna, Times: 1, Action: wasim.Fault{AckError: &wasim.AckError{Code: 473}}})
		menu := menuTo(anaNumber)
		menu["contentText"], menu["fallback"] = text, "text"
		return w.ask(menu, ana)
	}
	older := asText("first")
	var c clicks.Clicked
	for _, tc := range []struct {
		words, button string
	}{
		{"1", "sales"}, {" 2) ", "support"}, {"2️⃣", "support"}, {"TALK to Sales", "sales"},
		{"١", "sales"}, {"۲", "support"}, {"२", "support"}, {"①.", "sales"}, {"\u202a２\u202c", "support"}, {"Súpport!", "support"}, {"talk\u00a0to\u200b sales", "sales"},
	} {
		_, err := ana.SendText(w.ctx(), older.From, tc.words)
		w.must(err)
		if w.next(clicked, &c); c.Button.ID != tc.button || c.MatchedBy != clicks.ByText || c.Ambiguous || c.RawID != tc.words || c.Menu.MessageID != older.ID {
			t.Errorf("%q: %+v", tc.words, c)
		}
	}
	_, err := ana.SendText(w.ctx(), older.From, "3")
	w.must(err)
	var r clicks.MessageReceived
	if w.next(received, &r); r.Text != "3" || r.Menu == nil || r.Menu.MessageID != older.ID {
		t.Errorf("no such number: %+v", r)
	}

	newer := asText("second")
	_, err = ana.SendText(w.ctx(), older.From, "1")
	w.must(err)
	if w.next(clicked, &c); c.Menu.MessageID != newer.ID || !c.Ambiguous {
		t.Errorf("two menus fit: %+v", c)
	}
	_, err = ana.Send(w.ctx(), older.From, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String("1"), ContextInfo: &waE2E.ContextInfo{StanzaID: proto.String(older.ID)},
	}})
	w.must(err)
	if w.next(clicked, &c); c.Menu.MessageID != older.ID || c.Ambiguous || c.MatchedBy != clicks.ByText {
		t.Errorf("quoting the older: %+v", c)
	}
}
