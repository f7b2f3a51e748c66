package events

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"
)

// Event is something that happened.
type Event struct {
	Position uint64 // in the outbox; it grows
	engine.Outgoing
	Stored time.Time
}

// Types that the host itself makes.
const (
	typeSent  = "whatsapp.message.sent.v1"
	TypeState = "whatsapp.instance.state.v1"
	typeTest  = "webhook.test.v1"

	// TypeOpened tells a reader of the outbox from where it reads, and TypeGap what it missed.
	TypeOpened = "stream.opened.v1"
	TypeGap    = "stream.gap.v1"
)

// Catalogued is a type of events, in its version.
type Catalogued struct {
	Type   string          `json:"type"`
	Seed   string          `json:"seed,omitempty"` // its name in the seed's form, if that is another
	Title  string          `json:"title"`
	Schema json.RawMessage `json:"schema"` // of data, with examples

	file string
}

// kinds are all that this host knows. Nodes may have others, which are told as they are.
var kinds = []Catalogued{
	{Type: "whatsapp.button.clicked.v1", Seed: exchanged, file: schemas.ButtonClicked},
	{Type: "whatsapp.message.received.v1", Seed: exchanged, file: schemas.MessageReceived},
	{Type: typeSent, Seed: exchanged, file: schemas.MessageSent},
	{Type: typeStatus, Seed: "message.status", file: schemas.MessageStatus},
	{Type: TypeState, Seed: "instance.state", file: schemas.InstanceState},
	{Type: engine.EventRunStarted, file: schemas.RunStarted},
	{Type: engine.EventRunWaiting, file: schemas.RunWaiting},
	{Type: engine.EventRunEnded, file: schemas.RunEnded},
	{Type: typeTest, file: schemas.WebhookTest},
	{Type: TypeOpened, file: schemas.StreamOpened},
	{Type: TypeGap, file: schemas.StreamGap},
}

// Catalogue lists the types of events with their schemas.
func Catalogue() ([]Catalogued, error) {
	out := make([]Catalogued, len(kinds))
	for i, k := range kinds {
		k.Schema = schemas.Read(k.file)
		var about struct{ Title string }
		if err := json.Unmarshal(k.Schema, &about); err != nil {
			return nil, fmt.Errorf("schema %s: %w", k.file, err)
		}
		k.Title = about.Title
		out[i] = k
	}
	return out, nil
}

// FromNode is what others are told of an event of a node.
func FromNode(ev sdk.Event) []engine.Outgoing {
	told := engine.Outgoing{ID: plain(ev.ID), Type: plain(ev.Type), Instance: plain(ev.Subject), Time: ev.Time, Data: json.RawMessage(ev.Data)}
	if id, raw := sentIn(ev); raw != nil {
		sent := told
		sent.ID, sent.Type, sent.Data = "sent-"+told.Instance+"-"+plain(id), typeSent, raw
		return []engine.Outgoing{sent, told}
	}
	return []engine.Outgoing{told}
}

// plain leaves out what no database takes in a text.
func plain(text string) string { return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "") }

// sentIn is the id of a message and data of the event that it was sent, if its status tells that
// for the first time: a receipt can be faster than the answer to the send. In a group each member's
// status may say so; the outbox keeps one.
func sentIn(ev sdk.Event) (id string, data json.RawMessage) {
	var s struct {
		Instance  string          `json:"instance"`
		MessageID string          `json:"messageId"`
		Operation string          `json:"operation"`
		Chat      json.RawMessage `json:"chat"`
		At        json.RawMessage `json:"at"`
		Sender    json.RawMessage `json:"sender"`
		Content   json.RawMessage `json:"content"`
		Source    string          `json:"source"`
	}
	var step struct{ From, To string }
	if ev.Type != typeStatus || json.Unmarshal(ev.Data, &s) != nil || json.Unmarshal(ev.Data, &step) != nil {
		return "", nil
	}
	if !slices.Contains([]string{"intent", "unknown", "failed"}, step.From) || !slices.Contains([]string{"sent", "delivered", "read"}, step.To) {
		return "", nil
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return "", nil // unreachable: its parts were JSON
	}
	return s.MessageID, raw
}
