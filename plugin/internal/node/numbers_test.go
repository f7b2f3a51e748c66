package node

import (
	"slices"
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// TestNumbersInBothForms: in countries whose numbers are written in two ways, one query finds the
// account whichever way the caller writes the number, and the answer is cached.
func TestNumbersInBothForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wasim.Options{})
	w.pair("shop", shopNumber)
	for _, c := range []struct{ name, canonical, other string }{
		{"Brazil without the ninth digit", "556199990001", "5561999990001"},
		{"Brazil with it", "5511988880009", "551188880009"},
		{"Mexico with a 1", "5215512345678", "525512345678"},
		{"Mexico without", "525587654321", "5215587654321"},
		{"Argentina with a 9", "5491123456789", "541123456789"},
		{"Argentina without", "541187654321", "5491187654321"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := *w
			w.t = t
			account, err := w.sim.NewAccount(c.canonical, wasim.Aliases(c.other))
			w.must(err)
			for _, written := range []string{c.other, c.canonical, c.other + "@s.whatsapp.net"} {
				before := len(w.questions())
				res, err := w.node.Execute(w.ctx(), client.Request{Operation: send.OpText, Input: raw(t, obj{"instance": "shop", "number": written, "contentText": "Hi"})}, nil)
				w.must(err)
				var out send.Output
				unmarshal(t, res.Output, &out)
				adjusted := slices.ContainsFunc(res.Warnings, func(s sdk.Warning) bool { return s.Code == "number_adjusted" })
				if out.Chat.JID != account.LID().String() || *out.Chat.Phone != c.canonical || adjusted != (written != c.canonical) {
					t.Errorf("%s: chat %+v, warnings %+v", written, out.Chat, res.Warnings)
				}
				asked := w.questions()[before:]
				switch {
				case written == c.other && !slices.Equal(asked, []int{2}):
					t.Errorf("%s: questions about %v numbers, want one about both forms", written, asked)
				case written == c.canonical && len(asked) != 0:
					t.Errorf("%s: asked again", written)
				}
			}
		})
	}
}

// TestNumbersAsTheyAreCopied: invisible characters and other ways to type digits in a number change
// nothing, wherever the caller gives one.
func TestNumbersAsTheyAreCopied(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	clicked := w.subscribe(opButtonClick, everything)
	for _, written := range []string{
		"\u202a+55 11 98888-0001\u202c", "\u200e+5511988880001", "+55\u202f11\u202f98888\u202f0001", "(+55) 11\u221298888\u20110001", "＋٥٥ ११ 988880001",
		"\u2066" + ana.LID().String() + "\u2069",
	} {
		menu := rules(written, obj{"allowedSenders": []string{written}})
		m := w.ask(menu, ana)
		_, err := ana.Click(w.ctx(), m, "sales", "")
		w.must(err)
		var c clicks.Clicked
		if w.next(clicked, &c); c.Menu == nil || c.Menu.MessageID != m.ID || verdict(c) != "" {
			t.Errorf("%+q: %+v", written, c)
		}
	}
	call := menuTo(anaNumber)
	call["buttons"] = []obj{{"type": "CALL", "id": "\u202a+55\u00a011\u00a04000\u20110000\u202c", "displayText": "Ring"}}
	if m := w.ask(call, ana); m.Buttons[0].Phone != "+551140000000" {
		t.Errorf("to be dialled: %+v", m.Buttons)
	}
}

// TestOwnNumber: a menu to the instance's own number is sent, and the caller is warned that taps on
// it do not come back.
func TestOwnNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wasim.Options{})
	owner := w.customer(shopNumber)
	w.must(w.call("whatsapp.instance.create@1", named{"shop"}, nil))
	w.link("shop", owner.Account())
	for _, to := range []string{shopNumber, owner.LID().String()} {
		r := client.Request{Operation: send.OpButtons, Input: raw(t, menuTo(to)), Key: to}
		for repeat := range 2 {
			res, err := w.node.Execute(w.ctx(), r, nil)
			w.must(err)
			if len(res.Warnings) != 1 || res.Warnings[0].Code != "own_number" || res.Warnings[0].Pointer != "/number" || res.Replayed != (repeat > 0) {
				t.Errorf("%s, repeat %d: %+v", to, repeat, res)
			}
		}
	}
	res, err := w.node.Execute(w.ctx(), client.Request{Operation: send.OpText, Input: raw(t, textTo(shopNumber))}, nil)
	w.must(err)
	if len(res.Warnings) != 0 {
		t.Errorf("a note to oneself: %+v", res.Warnings)
	}
}

// questions lists how many numbers each query for accounts on WhatsApp was about.
func (w *world) questions() []int {
	var list []int
	for _, s := range w.sim.Stanzas(func(s wasim.Stanza) bool { return s.Direction == wasim.In && s.Node.Attrs["xmlns"] == "usync" }) {
		usync := s.Node.GetChildByTag("usync")
		asked, contacts := usync.GetChildByTag("list"), 0
		for _, user := range asked.GetChildren() {
			contacts += len(user.GetChildrenByTag("contact"))
		}
		if contacts > 0 {
			list = append(list, contacts)
		}
	}
	return list
}
