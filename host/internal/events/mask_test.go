package events

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// TestMasked: the masked examples of the catalogue identify nobody and contain no text that anybody
// wrote, but still show what happened.
func TestMasked(t *testing.T) {
	all, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`"[^"]*\d{6,}[^"]*(@[a-z.]+)?"`)
	for _, k := range all {
		var schema struct{ Examples []json.RawMessage }
		if err := json.Unmarshal(k.Schema, &schema); err != nil {
			t.Fatal(err)
		}
		for i, data := range schema.Examples {
			ev := Event{Outgoing: engine.Outgoing{ID: "e1", Type: k.Type, Instance: "shop-1", Data: data}}
			masked := ev.Masked()
			if InSeed(ev).Event != InSeed(masked).Event {
				t.Errorf("%s %d is called %s when it is masked", k.Type, i, InSeed(masked).Event)
			}
			raw, err := json.Marshal(InSeed(masked))
			if err != nil {
				t.Fatal(err)
			}
			if found := number.FindString(string(raw)); found != "" && strings.Contains(found, "@") {
				t.Errorf("%s %d shows %s", k.Type, i, found)
			}
			for _, said := range []string{"5511999999", "123456789012345", "Ana", "How can we help?", "Can I change my order?"} {
				if strings.Contains(string(raw), said) {
					t.Errorf("%s %d shows %q in %s", k.Type, i, said, raw)
				}
			}
		}
	}
	click := Event{Outgoing: engine.Outgoing{Type: "whatsapp.button.clicked.v1", Data: example(t, "whatsapp.button.clicked.v1.json")}}
	x, ok := InSeed(click.Masked()).Data.(exchange)
	if !ok || x.ID != "3A1F" || x.Message.Interactive.SelectedButtonID != "menu_sales" || x.Reply.MessageID != "3EB0C767D26B5F1A2B3C" || x.Sender.JID != "…99@s.whatsapp.net" || x.Timestamp.IsZero() {
		t.Errorf("a click is told as %+v", x)
	}
	status := Event{Outgoing: engine.Outgoing{Type: typeStatus, Data: example(t, "whatsapp.message.status.v1.json")}}
	if s, ok := InSeed(status.Masked()).Data.(messageStatus); !ok || s.Status != "sent" || s.Chat.Type != "private" || s.Source != "crm" {
		t.Errorf("a status is told as %+v", s)
	}
	foreign := Event{Outgoing: engine.Outgoing{Type: "other.node.v1", Data: json.RawMessage(`{"from":"+55 11 99999-9999","to":"me"}`)}}
	if got := string(foreign.Masked().Data); strings.Contains(got, "9999") || strings.Contains(got, "me") {
		t.Errorf("an event of another node is told as %s", got)
	}
}
