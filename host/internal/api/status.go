package api

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// messageStatus is data of "message.status". It has no messageId: a client takes whatever has
// one for a message.
type messageStatus struct {
	MessageIDs []string  `json:"messageIds"`
	Status     string    `json:"status"`
	Timestamp  time.Time `json:"timestamp"`
	Chat       party     `json:"chat"`
	Recipient  *party    `json:"recipient,omitempty"`
	IsFromMe   bool      `json:"isFromMe"`
	Source     string    `json:"source,omitempty"`
}

// statusOf puts the step of a message into the seed's form. A message of which nobody knows
// whether it left has no state that clients know, and keeps our event.
func statusOf(ev sdk.Event) (messageStatus, bool) {
	if ev.Type != "whatsapp.message.status.v1" {
		return messageStatus{}, false
	}
	var s struct {
		MessageID string    `json:"messageId"`
		To        string    `json:"to"`
		At        time.Time `json:"at"`
		Chat      person    `json:"chat"`
		Recipient *person   `json:"recipient"`
		Source    string    `json:"source"`
	}
	if json.Unmarshal(ev.Data, &s) != nil || s.To == "unknown" {
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

func chatType(jid string) string {
	switch _, server, _ := strings.Cut(jid, "@"); server {
	case "g.us":
		return "group"
	case "newsletter":
		return "newsletter"
	}
	return "private"
}
