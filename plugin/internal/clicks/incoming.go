package clicks

import (
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Incoming holds what one message may be: a click, something that a person wrote, both (for words),
// or nothing of interest.
type Incoming struct {
	Click    *Click    // nil: the message cannot be a click
	Received *Received // nil: no person wrote the message
	Timer    *Timer    // nil: the message reveals no timer
}

// Read unwraps a message and interprets it. Our own messages yield at most a timer, messages of
// channels and statuses yield nothing.
func Read(m *waE2E.Message, info types.MessageInfo) Incoming {
	inner := unwrap(m)
	in := Incoming{Timer: asTimer(inner, info)}
	if foreign(info) {
		in.Click, in.Received = asClick(inner, info), asReceived(inner, info)
	}
	return in
}

// Answer returns the message in the form used to look up a menu, or nil if it is of no interest.
func (in Incoming) Answer() *Click {
	if in.Click != nil || in.Received == nil {
		return in.Click
	}
	c := in.Received.Click()
	return &c
}

// maxWrappers bounds the nesting, which the sender controls; real clients use two levels.
const maxWrappers = 8

// unwrap removes what may wrap a message: sent by another device of the account, disappearing, view
// once, with caption, a comment, and any wrapper that WhatsApp adds later. It returns nil for a
// message that is wrapped too often or is only part of another message.
func unwrap(m *waE2E.Message) *waE2E.Message {
	for range maxWrappers {
		if part(m) {
			return nil
		}
		inner := inside(m)
		if inner == nil {
			return m
		}
		m = inner
	}
	return nil
}

// inside returns the message in a wrapper, or nil if m is not a wrapper. A wrapper is recognised by
// its structure: it has a member "message" that is a message itself.
func inside(m *waE2E.Message) *waE2E.Message {
	around := m.ProtoReflect()
	var inner *waE2E.Message
	populated(around, func(f protoreflect.FieldDescriptor) bool {
		if in := wrapped(f); in != nil {
			inner, _ = around.Get(f).Message().Get(in).Message().Interface().(*waE2E.Message)
		}
		return inner != nil
	})
	return inner
}

// wrapped returns the member of a wrapper that holds the message, or nil if f is not a wrapper.
func wrapped(f protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	if f.Message() == nil || f.IsList() {
		return nil
	}
	if in := f.Message().Fields().ByName("message"); in != nil && in.Message() == f.Parent() {
		return in
	}
	return nil
}

// Kind is the kind of content of a received message.
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

// Click returns the message in the form that Correlate and Answers use to look up a menu.
func (r Received) Click() Click {
	return Click{
		MessageID: r.MessageID, At: r.At, Chat: r.Chat, Sender: r.Sender,
		Form: FormText, Label: clean(r.Text, maxLabel), QuotedID: r.QuotedID,
	}
}

// asReceived reads an unwrapped message as something a person wrote. It returns nil for content
// that phones do not show, or do not show as a message: see silent.
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
