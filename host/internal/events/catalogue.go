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
	Position uint64 // in the outbox, ascending; 0: not in the outbox
	engine.Outgoing
	Stored time.Time
}

// Types of events that the host itself creates.
const (
	typeSent  = "whatsapp.message.sent.v1"
	TypeState = "whatsapp.instance.state.v1"
	typeTest  = "webhook.test.v1"

	// TypeOpened tells a reader of the outbox from which position it reads, and TypeGap which
	// positions it missed.
	TypeOpened = "stream.opened.v1"
	TypeGap    = "stream.gap.v1"
)

// Catalogued is a type of event in one version.
type Catalogued struct {
	Type   string          `json:"type"`
	Seed   string          `json:"seed,omitempty"` // its name in the seed's form, if it differs
	Title  string          `json:"title"`
	Schema json.RawMessage `json:"schema"` // of data, with examples

	file string
}

// kinds are the types that this host knows. Events of other types, from nodes, are passed on
// unchanged.
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

// FromNode returns the events to store for an event of a node: the event itself and, if it is the
// first to say that a message was sent, an event for the sent message before it.
func FromNode(ev sdk.Event) []engine.Outgoing {
	told := engine.Outgoing{ID: plain(ev.ID), Type: plain(ev.Type), Instance: plain(ev.Subject), Time: ev.Time, Data: json.RawMessage(ev.Data)}
	if id, raw := sentIn(ev); raw != nil {
		sent := told
		sent.ID, sent.Type, sent.Data = "sent-"+told.Instance+"-"+plain(id), typeSent, raw
		return []engine.Outgoing{sent, told}
	}
	return []engine.Outgoing{told}
}

// plain removes bytes that a database does not accept in text: invalid UTF-8 and NUL.
func plain(text string) string { return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "") }

// sentIn returns the id of a message and the data of its sent event, if this status is the first to
// show that the message was sent. That may be "delivered" or "read", because a receipt can arrive
// before the answer to the send. In a group the status of each member may show it; the outbox keeps
// one event, because all have the same id.
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
