package node

import (
	"slices"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// TestWarnings: what WhatsApp is known to hide or refuse is reported by Validate, with the answer,
// and with the answer of a repeat; the message is sent all the same.
func TestWarnings(t *testing.T) {
	t.Parallel()
	w, _ := shop(t, wasim.Options{})
	channel, err := w.sim.NewNewsletter("News", w.sim.Account(shopNumber))
	w.must(err)
	for _, c := range []struct {
		name    string
		change  obj
		pointer string
		code    string
	}{
		{"REPLY mixed with others", obj{"buttons": []obj{{"id": "a", "displayText": "A"}, {"id": "https://example.com", "displayText": "B", "type": "URL"}}},
			"/buttons", "reply_hidden_on_desktop"},
		{"long label", obj{"buttons": []obj{{"id": "a", "displayText": strings.Repeat("ç", 21)}}}, "/buttons/0/displayText", "label_may_be_cut"},
		{"http link", obj{"buttons": []obj{{"id": "http://example.com", "displayText": "A", "type": "URL"}}}, "/buttons/0/id", "insecure_link"},
		{"local number", obj{"buttons": []obj{{"id": "11 99999-9999", "displayText": "A", "type": "CALL"}}}, "/buttons/0/id", "number_not_international"},
		{"channel", obj{"number": channel.JID().String()}, "/number", "newsletter_shows_no_buttons"},
	} {
		t.Run(c.name, func(t *testing.T) {
			menu := menuTo(anaNumber)
			for k, v := range c.change {
				menu[k] = v
			}
			is := func(warning sdk.Warning) bool {
				return warning.Pointer == c.pointer && warning.Code == c.code && warning.Message != ""
			}
			violations, warnings, err := w.node.Validate(w.ctx(), send.OpButtons, raw(t, menu))
			w.must(err)
			if len(violations) != 0 || len(warnings) != 1 || !is(warnings[0]) {
				t.Errorf("Validate: %+v, %+v", violations, warnings)
			}
			r := client.Request{Operation: send.OpButtons, Input: raw(t, menu), Key: c.name}
			for range 2 {
				res, err := w.node.Execute(w.ctx(), r, nil)
				w.must(err)
				if len(res.Warnings) != 1 || !is(res.Warnings[0]) {
					t.Errorf("Execute: %+v", res.Warnings)
				}
			}
			if m := w.message(obj{"key": c.name}); !slices.ContainsFunc(m.Warnings, is) || len(m.Warnings) != 1 {
				t.Errorf("stored: %+v", m.Warnings)
			}
		})
	}
}

// TestWarningsOfTheAnswer: a warning that only WhatsApp's answer reveals is returned on a repeat,
// too.
func TestWarningsOfTheAnswer(t *testing.T) {
	t.Parallel()
	w, _ := shop(t, wasim.Options{})
	w.customer("556199990001", wasim.Aliases("5561999990001"))
	r := client.Request{Operation: send.OpText, Input: raw(t, textTo("5561999990001")), Key: "k"}
	for repeat := range 2 {
		res, err := w.node.Execute(w.ctx(), r, nil)
		w.must(err)
		if len(res.Warnings) != 1 || res.Warnings[0].Code != "number_adjusted" || res.Replayed != (repeat > 0) {
			t.Errorf("repeat %d: %+v", repeat, res)
		}
	}
}
