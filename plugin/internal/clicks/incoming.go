package clicks

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Incoming is what one message may be: a click, something that a person wrote, either
// (words can be both), or nothing of interest.
type Incoming struct {
	Click    *Click    // nil: it cannot be one
	Received *Received // nil: nobody wrote it
}

// Read takes a message out of its wrappers and reads it, once. Our own messages and
// those of channels and statuses are nothing of interest.
func Read(m *waE2E.Message, info types.MessageInfo) Incoming {
	if !foreign(info) {
		return Incoming{}
	}
	inner := unwrap(m)
	return Incoming{asClick(inner, info), asReceived(inner, info)}
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
