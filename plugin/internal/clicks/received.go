package clicks

import (
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// Kind is what a message received consists of.
type Kind string

// The kinds of message.
const (
	KindText     Kind = "text"
	KindImage    Kind = "image"
	KindVideo    Kind = "video"
	KindAudio    Kind = "audio"
	KindDocument Kind = "document"
	KindSticker  Kind = "sticker"
	KindLocation Kind = "location"
	KindContact  Kind = "contact"
	KindOther    Kind = "other" // shown to a person, but none of the above
)

// Received is a message that a person wrote.
type Received struct {
	MessageID string
	At        time.Time
	Chat      Chat
	Sender    Sender
	Kind      Kind
	Text      string // text or caption
	QuotedID  string // empty if it quotes nothing
}

// Click is the message as something a menu may be looked up for, with Correlate
// or Answers.
func (r Received) Click() Click {
	return Click{
		MessageID: r.MessageID, At: r.At, Chat: r.Chat, Sender: r.Sender,
		Form: FormText, Label: clean(r.Text, maxLabel), QuotedID: r.QuotedID,
	}
}

// asReceived reads an unwrapped message as something a person wrote. It is nil for what
// phones show nobody, or not as a message: see silent.
func asReceived(m *waE2E.Message, info types.MessageInfo) *Received {
	kind, text, quote := content(m)
	if kind == "" {
		return nil
	}
	r := Received{
		MessageID: info.ID, At: info.Timestamp,
		Kind: kind, Text: clean(text, maxText), QuotedID: clean(quote.GetStanzaID(), maxID),
	}
	r.Chat, r.Sender = parties(info)
	return &r
}
