package events

import (
	"encoding/json"
	"time"
)

// exchanged is the seed's name for what people and we write.
const exchanged = "message.exchange"

// Seed is an event in the seed's form: event, data and instanceData. Event and data are what the
// seed's clients read; type and detail are the event itself, whole. There is no token in it
// unless somebody puts it there.
type Seed struct {
	Event        string          `json:"event"`
	ID           string          `json:"id"` // the same for every delivery: deduplicate on it
	Data         any             `json:"data"`
	Type         string          `json:"type"`
	Detail       json.RawMessage `json:"detail"`
	InstanceData instanceData    `json:"instanceData"`
	Sequence     string          `json:"sequence,omitempty"` // its place in the outbox, to go on after
}

type instanceData struct {
	Instance string `json:"instance"`
	Token    string `json:"token,omitempty"`
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

// InSeed puts an event into the seed's form. What a person or we wrote is a message.exchange, a
// step of a message that was sent a message.status; what the seed has no form for keeps its
// own name and data.
func InSeed(ev Event) Seed {
	e := Seed{Event: ev.Type, ID: ev.ID, Data: ev.Data, Type: ev.Type, Detail: ev.Data, InstanceData: instanceData{Instance: ev.Instance}, Sequence: sequenceOf(ev)}
	switch ev.Type {
	case TypeState:
		e.Event = "instance.state"
	case typeStatus:
		if status, ok := statusOf(ev.Data); ok {
			e.Data = status
			if status.Status != "unknown" { // no client knows a state in which nobody knows whether it left
				e.Event = "message.status"
			}
		}
	case typeSent:
		if x, ok := sentOf(ev.Data); ok {
			e.Event, e.Data = exchanged, x
		}
	default:
		if x, ok := seenIn(ev.Data); ok {
			e.Event, e.Data = exchanged, x
		}
	}
	return e
}

// seenIn reads a message or a click of a person.
func seenIn(data []byte) (exchange, bool) {
	var s seen
	if json.Unmarshal(data, &s) != nil || s.MessageID == "" || s.Sender.JID == "" {
		return exchange{}, false
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
	return x, true
}
