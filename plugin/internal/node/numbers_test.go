package node

import (
	"slices"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// TestNumbersInBothForms: in countries whose numbers are written in two ways, one question finds the account whichever
// way the caller writes it, and the answer is remembered.
func TestNumbersInBothForms(t *testing.T) {
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

// questions lists how many numbers each question whether somebody is on WhatsApp was about.
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
