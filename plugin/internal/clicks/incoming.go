package clicks

import (
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Incoming is what one message may be: a click, something that a person wrote, either
// (words can be both), or nothing of interest.
type Incoming struct {
	Click    *Click    // nil: it cannot be one
	Received *Received // nil: nobody wrote it
	Timer    *Timer    // nil: it says nothing about how long messages live
}

// Read takes a message out of its wrappers and reads it, once. Our own messages have at
// most a timer, those of channels and statuses nothing of interest.
func Read(m *waE2E.Message, info types.MessageInfo) Incoming {
	inner := unwrap(m)
	in := Incoming{Timer: asTimer(inner, info)}
	if foreign(info) {
		in.Click, in.Received = asClick(inner, info), asReceived(inner, info)
	}
	return in
}

// Answer is the message as something a menu may be looked up for; nil when it is
// nothing of interest.
func (in Incoming) Answer() *Click {
	if in.Click != nil || in.Received == nil {
		return in.Click
	}
	c := in.Received.Click()
	return &c
}

// maxWrappers bounds the nesting that a sender may choose; real clients use two.
const maxWrappers = 8

// unwrap takes off what may lie around a message: sent by another own device,
// disappearing, view once, with caption, a comment, and whatever wrapper comes next. nil
// is a message that is wrapped too often, or that is only part of another.
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

// inside is the message in a wrapper; nil if m is none. A wrapper is known by its
// structure: it has a member "message", which is a message again.
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

// wrapped is the member of a wrapper that holds the message; nil if f is no wrapper.
func wrapped(f protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	if f.Message() == nil || f.IsList() {
		return nil
	}
	if in := f.Message().Fields().ByName("message"); in != nil && in.Message() == f.Parent() {
		return in
	}
	return nil
}

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
