package clicks

import "go.mau.fi/whatsmeow/proto/waE2E"

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
