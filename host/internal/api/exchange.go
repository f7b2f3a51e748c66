package api

import (
	"encoding/json"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// eventMessage is one event for WebSocket readers, in the seed's form: event, data and
// instanceData. There is no token in it. Event and data.message are what the seed's
// integrators read; Type and Detail are the node's own event, whole.
type eventMessage struct {
	Event        string          `json:"event"`
	ID           string          `json:"id"` // the same for every delivery: deduplicate on it
	Data         any             `json:"data"`
	Type         string          `json:"type"`
	Detail       json.RawMessage `json:"detail"`
	InstanceData instanceData    `json:"instanceData"`
}

type instanceData struct {
	Instance string `json:"instance"`
}

// exchange is data of "message.exchange".
type exchange struct {
	ID        string          `json:"id"`
	Direction string          `json:"direction"`
	Timestamp time.Time       `json:"timestamp"`
	Chat      party           `json:"chat"`
	Sender    party           `json:"sender"`
	Message   exchangeMessage `json:"message"`
	Reply     *reply          `json:"reply,omitempty"`
	Button    *buttonResponse `json:"button_response,omitempty"`
}

type party struct {
	JID  string  `json:"jid"`
	LID  *string `json:"lid"`
	Name string  `json:"name,omitempty"`
	Type string  `json:"type,omitempty"`
}

type exchangeMessage struct {
	Type        string       `json:"type"`
	Content     string       `json:"content"` // of a click: the id of the button (seed: «arrives as a text message containing the id of the clicked button»)
	Source      *string      `json:"source"`
	Interactive *interactive `json:"interactive,omitempty"`
}

type interactive struct {
	SelectedButtonID string `json:"selectedButtonId"`
	Title            string `json:"title"`
}

type reply struct {
	MessageID string `json:"message_id"`
}

type buttonResponse struct {
	Title            string `json:"title"`
	SelectedButtonID string `json:"selected_button_id"`
}

// seen is what an event of a person's message or click has in common.
type seen struct {
	MessageID  string    `json:"messageId"`
	ClickedAt  time.Time `json:"clickedAt"`
	ReceivedAt time.Time `json:"receivedAt"`
	Chat       person    `json:"chat"`
	Sender     person    `json:"sender"`
	Kind       string    `json:"kind"`
	Text       *string   `json:"text"`
	Quoted     *string   `json:"quotedMessageId"`
	Button     *struct {
		ID          string `json:"id"`
		DisplayText string `json:"displayText"`
	} `json:"button"`
	Menu *struct {
		MessageID string  `json:"messageId"`
		Source    *string `json:"source"`
	} `json:"menu"`
}

type person struct {
	JID   string  `json:"jid"`
	LID   *string `json:"lid"`
	Phone *string `json:"phone"`
	Name  string  `json:"name"`
	Type  string  `json:"type"`
}

// party names a person as the seed does: the number's JID where it is known.
func (p person) party() party {
	out := party{JID: p.JID, LID: p.LID, Name: p.Name, Type: p.Type}
	if p.Phone != nil {
		out.JID = *p.Phone + "@s.whatsapp.net"
	}
	return out
}

// envelope puts an event into the seed's form. A message or a click of a person is a
// message.exchange, a step of a message that was sent a message.status; any other event
// keeps its own name and data.
func envelope(ev sdk.Event) eventMessage {
	e := eventMessage{Event: ev.Type, ID: ev.ID, Data: json.RawMessage(ev.Data), Type: ev.Type, Detail: json.RawMessage(ev.Data), InstanceData: instanceData{ev.Subject}}
	if status, ok := statusOf(ev); ok {
		e.Event, e.Data = "message.status", status
		return e
	}
	var s seen
	if json.Unmarshal(ev.Data, &s) != nil || s.MessageID == "" || s.Sender.JID == "" {
		return e
	}
	x := exchange{ID: s.MessageID, Direction: "incoming", Timestamp: s.ReceivedAt, Chat: s.Chat.party(), Sender: s.Sender.party()}
	x.Message.Type = s.Kind
	if s.Text != nil {
		x.Message.Content = *s.Text
	}
	if s.Quoted != nil {
		x.Reply = &reply{*s.Quoted}
	}
	if s.Button != nil {
		x.Timestamp = s.ClickedAt
		x.Message.Type, x.Message.Content = "buttons_response", s.Button.ID
		x.Message.Interactive = &interactive{s.Button.ID, s.Button.DisplayText}
		x.Button = &buttonResponse{s.Button.DisplayText, s.Button.ID}
	}
	if s.Menu != nil {
		x.Reply, x.Message.Source = &reply{s.Menu.MessageID}, s.Menu.Source
	}
	e.Event, e.Data = "message.exchange", x
	return e
}
