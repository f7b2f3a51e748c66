package clicks

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
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
// disappearing, view once, with caption, edited. It mirrors
// events.Message.UnwrapRaw, in any order of the wrappers, so that raw messages
// work as well.
func unwrap(m *waE2E.Message) *waE2E.Message {
	for range maxWrappers {
		inner := inside(m)
		if inner == nil {
			return m
		}
		m = inner
	}
	return nil
}

func inside(m *waE2E.Message) *waE2E.Message {
	if inner := m.GetDeviceSentMessage().GetMessage(); inner != nil {
		return inner
	}
	for _, wrapper := range []*waE2E.FutureProofMessage{
		m.GetBotInvokeMessage(),
		m.GetEphemeralMessage(),
		m.GetViewOnceMessage(),
		m.GetViewOnceMessageV2(),
		m.GetViewOnceMessageV2Extension(),
		m.GetDocumentWithCaptionMessage(),
		m.GetEditedMessage(),
	} {
		if inner := wrapper.GetMessage(); inner != nil {
			return inner
		}
	}
	return nil
}
