package send

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// TypeStatus is the event that one of our messages reached a further state.
const TypeStatus = "whatsapp.message.status.v1"

// Status is the data of whatsapp.message.status.v1; the schema of that name describes every field.
type Status struct {
	Instance    string         `json:"instance"`
	MessageID   string         `json:"messageId"`
	Operation   string         `json:"operation"`
	Chat        outputChat     `json:"chat"`
	From        string         `json:"from"`
	To          string         `json:"to"`
	At          time.Time      `json:"at"`
	Recipient   *outputChat    `json:"recipient"`
	Source      string         `json:"source"`
	Correlation string         `json:"correlation"`
	Problem     *statusProblem `json:"problem"`

	// Set once, when WhatsApp is known to have the message.
	Sender  *outputChat `json:"sender"`
	Content *string     `json:"content"`
}

// statusProblem describes why a message failed, and what to do.
type statusProblem struct {
	Code     string `json:"code"`
	Ack      int    `json:"ack"` // the code of WhatsApp's refusal; 0: none
	Message  string `json:"message"`
	NextStep string `json:"nextStep"`
}

// StatusEvents is store.Options.Status.
var StatusEvents = ledger.Events{Type: TypeStatus, New: statusEvent}

// statusEvent is the event of a change. It answers no call: its correlation is only in the data, so
// the event can start a flow but never takes the exit of a waiting menu.
func statusEvent(c ledger.Change) (outbox.Event, error) {
	e := c.Entry
	s := Status{
		Instance: e.Instance, MessageID: e.MessageID, Operation: operationOf(e), Chat: chatNames(e.Chat),
		From: c.From.String(), To: c.To.String(), At: c.At.UTC(), Source: e.Source, Correlation: e.Correlation,
	}
	if c.Member != "" {
		member, err := types.ParseJID(c.Member)
		if err != nil {
			return outbox.Event{}, fmt.Errorf("read the stored member: %w", err)
		}
		names := chatNames(recipient.ChatOf(member))
		s.Recipient = &names
	}
	if c.Arrived() {
		if err := s.introduce(c); err != nil {
			return outbox.Event{}, err
		}
	}
	if c.To == ledger.Failed {
		var err error
		if s.Problem, err = whyFailed(e); err != nil {
			return outbox.Event{}, err
		}
	}
	data, err := json.Marshal(s)
	if err != nil {
		return outbox.Event{}, fmt.Errorf("encode the status: %w", err)
	}
	return outbox.Event{
		ID:   outbox.EventID(TypeStatus, e.Instance, s.To, c.Member, e.MessageID),
		Type: TypeStatus, Instance: e.Instance, Subject: e.Instance, Time: c.At, Data: data,
	}, nil
}

// introduce adds the sender and the content of the message, as far as the store still has the
// account and the message.
func (s *Status) introduce(c ledger.Change) error {
	if c.Account != (recipient.Chat{}) {
		names := chatNames(c.Account)
		s.Sender = &names
	}
	if len(c.Entry.Message) == 0 {
		return nil
	}
	var m waE2E.Message
	if err := proto.Unmarshal(c.Entry.Message, &m); err != nil {
		return fmt.Errorf("read the stored message: %w", err)
	}
	words := clicks.Words(&m)
	s.Content = &words
	return nil
}

// operationOf returns the operation as callers know it.
func operationOf(e ledger.Entry) string {
	if e.Operation == scopeFallback {
		return OpButtons
	}
	return e.Operation
}

// whyFailed reads the outcome of a failed send.
func whyFailed(e ledger.Entry) (*statusProblem, error) {
	var f failure
	if err := json.Unmarshal(e.Outcome, &f); err != nil || f.Problem == nil {
		return nil, fmt.Errorf("read the stored failure: %w", err)
	}
	r, known := Refusals[f.Ack]
	if !known {
		r = Refusal{Code: "refused", Next: "look the number up, and do not repeat the same message"}
	}
	return &statusProblem{Code: r.Code, Ack: f.Ack, Message: f.Problem.Message, NextStep: r.Next}, nil
}

// chatNames returns the addresses of a stored chat. The LID takes precedence, because WhatsApp
// keeps the chat under it.
func chatNames(c recipient.Chat) outputChat {
	out := outputChat{JID: c.JID, LID: text(c.LID), Phone: text(c.Phone())}
	if c.LID != "" {
		out.JID = c.LID
	}
	return out
}
