package events

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/schemas"
)

// example is the first example of a schema.
func example(t *testing.T, name string) []byte {
	t.Helper()
	var s struct{ Examples []json.RawMessage }
	if err := json.Unmarshal(schemas.Read(name), &s); err != nil || len(s.Examples) == 0 {
		t.Fatalf("%s has no example: %v", name, err)
	}
	return s.Examples[0]
}

// TestClickInTheSeedsForm checks the members that the seed's integrators read.
func TestClickInTheSeedsForm(t *testing.T) {
	detail := example(t, schemas.ButtonClicked)
	raw, err := json.Marshal(InSeed(Event{Outgoing: engine.Outgoing{ID: "e1", Type: "whatsapp.button.clicked.v1", Instance: "shop-1", Data: detail}}))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Event, ID string
		Data      struct {
			ID, Direction, Timestamp string
			Chat, Sender             struct{ JID, LID, Name string }
			Message                  struct {
				Type, Content, Source string
				Interactive           struct{ SelectedButtonID string }
			}
			Reply struct {
				MessageID string `json:"message_id"`
			}
		}
		Detail       json.RawMessage
		InstanceData map[string]string
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	m := got.Data.Message
	if got.Event != "message.exchange" || got.ID != "e1" || got.Data.Direction != "incoming" || got.Data.ID != "3A1F" || got.Data.Timestamp != "2026-11-22T13:05:00Z" ||
		got.Data.Sender.JID != "5511999999999@s.whatsapp.net" || got.Data.Sender.LID != "123456789012345@lid" || got.Data.Sender.Name != "Ana" ||
		m.Type != "buttons_response" || m.Content != "menu_sales" || m.Interactive.SelectedButtonID != "menu_sales" || m.Source != "n8n" ||
		got.Data.Reply.MessageID != "3EB0C767D26B5F1A2B3C" {
		t.Errorf("got %s", raw)
	}
	if len(got.InstanceData) != 1 || got.InstanceData["instance"] != "shop-1" {
		t.Errorf("instanceData has %v, and must have the instance alone", got.InstanceData)
	}
}

// TestOwnSendInTheSeedsForm: a sent message has the sender, the content and the source by which clients
// tell it from a message that a person wrote.
func TestOwnSendInTheSeedsForm(t *testing.T) {
	for _, told := range FromNode(nodeEvent(example(t, schemas.MessageStatus))) {
		x, ok := InSeed(Event{Outgoing: told}).Data.(exchange)
		switch told.Type {
		case typeSent:
			if !ok || x.Direction != "outgoing" || x.Sender.JID != "5511300000000@s.whatsapp.net" || x.Chat.JID != "5511999999999@s.whatsapp.net" ||
				x.Message.Type != "buttons" || x.Message.Content != "How can we help?" || *x.Message.Source != "crm" {
				t.Errorf("got %+v", x)
			}
		default:
			if ok {
				t.Errorf("%s is told as what somebody wrote", told.Type)
			}
		}
	}
}

// TestUnknownInTheSeedsForm: a status that clients do not know does not become a message.status, and has
// no member that makes a client take it for a message.
func TestUnknownInTheSeedsForm(t *testing.T) {
	data := bytes.Replace(example(t, schemas.MessageStatus), []byte(`"to": "sent"`), []byte(`"to": "unknown"`), 1)
	e := InSeed(Event{Outgoing: engine.Outgoing{Type: typeStatus, Data: data}})
	raw, err := json.Marshal(e.Data)
	if err != nil || e.Event != typeStatus || !bytes.Contains(raw, []byte(`"status":"unknown"`)) || bytes.Contains(raw, []byte(`"messageId"`)) {
		t.Errorf("%s is told as %s, %v", e.Event, raw, err)
	}
}

func TestTextInTheSeedsForm(t *testing.T) {
	e := InSeed(Event{Outgoing: engine.Outgoing{Type: "whatsapp.message.received.v1", Instance: "shop-1", Data: example(t, schemas.MessageReceived)}})
	x, ok := e.Data.(exchange)
	if !ok || x.Message.Type != "text" || x.Message.Content != "Can I change my order?" || x.Message.Interactive != nil || x.Chat.Type != "private" {
		t.Errorf("got %+v", e)
	}
}
