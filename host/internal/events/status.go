package events

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"
)

// messageStatus is the data of "message.status". It must not have a member messageId: clients take
// everything that has one for a message.
type messageStatus struct {
	MessageIDs []string  `json:"messageIds"`
	Status     string    `json:"status"`
	Timestamp  time.Time `json:"timestamp"`
	Chat       party     `json:"chat"`
	Recipient  *party    `json:"recipient,omitempty"`
	IsFromMe   bool      `json:"isFromMe"`
	Source     string    `json:"source,omitempty"`
}

const typeStatus = "whatsapp.message.status.v1"

// step has the members of a status event and of a sent message that the seed's form needs.
type step struct {
	MessageID string    `json:"messageId"`
	Operation string    `json:"operation"`
	To        string    `json:"to"`
	At        time.Time `json:"at"`
	Chat      person    `json:"chat"`
	Recipient *person   `json:"recipient"`
	Sender    *person   `json:"sender"`
	Content   string    `json:"content"`
	Source    string    `json:"source"`
}

// statusOf puts the status of a message into the seed's form.
func statusOf(data []byte) (messageStatus, bool) {
	var s step
	if json.Unmarshal(data, &s) != nil {
		return messageStatus{}, false
	}
	s.Chat.Type = chatType(s.Chat.JID)
	out := messageStatus{MessageIDs: []string{s.MessageID}, Status: s.To, Timestamp: s.At, Chat: s.Chat.party(), IsFromMe: true, Source: s.Source}
	if s.Recipient != nil {
		recipient := s.Recipient.party()
		out.Recipient = &recipient
	}
	return out, true
}

// sentOf puts a sent message into the seed's form. It always has a source, by which clients tell it
// from a message that a person wrote on the phone.
func sentOf(data []byte) (exchange, bool) {
	var s step
	if json.Unmarshal(data, &s) != nil {
		return exchange{}, false
	}
	s.Chat.Type = chatType(s.Chat.JID)
	x := exchange{ID: s.MessageID, Direction: "outgoing", Timestamp: s.At, Chat: s.Chat.party()}
	if s.Sender != nil {
		x.Sender = s.Sender.party()
	}
	x.Message.Type, x.Message.Content = "text", s.Content
	if strings.HasPrefix(s.Operation, "whatsapp.sendButtons@") {
		x.Message.Type = "buttons"
	}
	source := cmp.Or(s.Source, "api")
	x.Message.Source = &source
	return x, true
}

func chatType(jid string) string {
	switch _, server, _ := strings.Cut(jid, "@"); server {
	case "g.us":
		return "group"
	case "newsletter":
		return "newsletter"
	}
	return "private"
}
