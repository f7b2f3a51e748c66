package clicks

import (
	"time"
)

// The types of event, as EventType.type of the contract.
const (
	TypeClicked  = "whatsapp.button.clicked.v1"
	TypeReceived = "whatsapp.message.received.v1"
)

// Clicked is the data of whatsapp.button.clicked.v1; the schema of that name
// describes every member.
type Clicked struct {
	Instance  string        `json:"instance"`
	MessageID string        `json:"messageId"`
	ClickedAt time.Time     `json:"clickedAt"`
	Chat      Chat          `json:"chat"`
	Sender    Sender        `json:"sender"`
	Button    ClickedButton `json:"button"`
	Menu      *MenuRef      `json:"menu"`
	MatchedBy MatchedBy     `json:"matchedBy"`
	Ambiguous bool          `json:"ambiguous"`
	Click     Count         `json:"click"`
	Form      Form          `json:"form"`
	RawID     string        `json:"rawId"`
}

// ClickedButton is the button as stored in the menu; without a menu it is what the sender claims.
type ClickedButton struct {
	ID          string `json:"id"`
	DisplayText string `json:"displayText"`
	Index       *int   `json:"index"`
}

// MenuRef names the menu an event belongs to.
type MenuRef struct {
	MessageID   string    `json:"messageId"`
	SentAt      time.Time `json:"sentAt"`
	Source      string    `json:"source"`
	Correlation string    `json:"correlation"`
}

// Count is the place of a click among the clicks on its menu. Only the store knows it, in the
// transaction that stores the click.
type Count struct {
	First    bool    `json:"first"`
	N        int     `json:"n"`
	LateByMs int64   `json:"lateByMs"`
	Refused  *string `json:"refused"` // why the menu's rules refused it; nil if they accepted it
}

// MessageReceived is the data of whatsapp.message.received.v1.
type MessageReceived struct {
	Instance        string    `json:"instance"`
	MessageID       string    `json:"messageId"`
	ReceivedAt      time.Time `json:"receivedAt"`
	Chat            Chat      `json:"chat"`
	Sender          Sender    `json:"sender"`
	Kind            Kind      `json:"kind"`
	Text            string    `json:"text"`
	QuotedMessageID *string   `json:"quotedMessageId"`
	Menu            *MenuRef  `json:"menu"`
	MatchedBy       MatchedBy `json:"matchedBy"`
}

// NewClicked builds the event of a click. The count stays zero for the store to
// fill in.
func NewClicked(instance string, c Click, m Match) Clicked {
	event := Clicked{
		Instance:  instance,
		MessageID: c.MessageID,
		ClickedAt: c.At.UTC(),
		Chat:      c.Chat,
		Sender:    c.Sender,
		Button:    ClickedButton{ID: c.ButtonID, DisplayText: c.Label},
		Menu:      m.ref(),
		MatchedBy: m.MatchedBy,
		Ambiguous: m.Ambiguous,
		Form:      c.Form,
		RawID:     rawID(c),
	}
	if m.Menu != nil {
		b, index := m.Button(), m.Index
		event.Button = ClickedButton{ID: b.ID, DisplayText: b.DisplayText, Index: &index}
	}
	return event
}

// NewMessageReceived builds the event of a message; m is from Answers.
func NewMessageReceived(instance string, r Received, m Match) MessageReceived {
	event := MessageReceived{
		Instance:   instance,
		MessageID:  r.MessageID,
		ReceivedAt: r.At.UTC(),
		Chat:       r.Chat,
		Sender:     r.Sender,
		Kind:       r.Kind,
		Text:       r.Text,
		Menu:       m.ref(),
		MatchedBy:  m.MatchedBy,
	}
	if r.QuotedID != "" {
		event.QuotedMessageID = &r.QuotedID
	}
	return event
}

func (m Match) ref() *MenuRef {
	if m.Menu == nil {
		return nil
	}
	return &MenuRef{
		MessageID:   m.Menu.MessageID,
		SentAt:      m.Menu.SentAt.UTC(),
		Source:      m.Menu.Source,
		Correlation: m.Menu.Correlation,
	}
}

// rawID returns what the person sent: the id, or the words they typed.
func rawID(c Click) string {
	if c.Form == FormText {
		return c.Label
	}
	return c.ButtonID
}

// IsClick reports whether c is to become a click event. Every tap does, even on a menu we do not
// know; typed words do only if they match one of our buttons.
func IsClick(c Click, m Match) bool { return c.Form != FormText || m.Menu != nil }
