package events

import (
	"encoding/json"
	"time"
)

// exchanged is the seed's name for messages, both received and sent.
const exchanged = "message.exchange"

// Seed is an event in the seed's form: event, data and instanceData. The seed's clients read event
// and data; type and detail hold the unchanged event. [InSeed] puts no token into it.
type Seed struct {
	Event        string          `json:"event"`
	ID           string          `json:"id"` // the same for every delivery: deduplicate on it
	Data         any             `json:"data"`
	Type         string          `json:"type"`
	Detail       json.RawMessage `json:"detail"`
	InstanceData instanceData    `json:"instanceData"`
	Sequence     string          `json:"sequence,omitempty"` // its position in the outbox; a reader can resume after it
}

type instanceData struct {
	Instance string `json:"instance"`
	Token    string `json:"token,omitempty"`
}

// exchange is the data of "message.exchange".
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
	Content     string       `json:"content"` // for a click, the id of the button (seed: «arrives as a text message containing the id of the clicked button»)
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

// seen has the members of the events for a person's message and a person's click.
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

// party identifies a person as the seed does: by the JID of the phone number if it is known.
func (p person) party() party {
	out := party{JID: p.JID, LID: p.LID, Name: p.Name, Type: p.Type}
	if p.Phone != nil {
		out.JID = *p.Phone + "@s.whatsapp.net"
	}
	return out
}

// InSeed puts an event into the seed's form. A message, received or sent, becomes a
// message.exchange; a status of a sent message becomes a message.status. An event that the seed has
// no form for keeps its own name and data.
func InSeed(ev Event) Seed {
	e := Seed{Event: ev.Type, ID: ev.ID, Data: ev.Data, Type: ev.Type, Detail: ev.Data, InstanceData: instanceData{Instance: ev.Instance}, Sequence: sequenceOf(ev)}
	switch ev.Type {
	case TypeState:
		e.Event = "instance.state"
	case typeStatus:
		if status, ok := statusOf(ev.Data); ok {
			e.Data = status
			if status.Status != "unknown" { // the seed's clients know no such status
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

// seenIn reads the event of a person's message or click.
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
