package buttons

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// Quoted names the message that a send answers.
type Quoted struct {
	MessageID string
	Author    types.JID      // who wrote it
	Original  *waE2E.Message // its content; nil if it is not stored any more
	// Group is where it was written, when the answer goes to the author's private
	// chat instead (replyPrivate); else empty.
	Group types.JID
}

// Quote builds the part of a message that quotes another.
func Quote(q Quoted) *waE2E.ContextInfo {
	original := q.Original
	if original == nil {
		// Phones show a quote only with content, and an empty one as an empty box.
		original = &waE2E.Message{Conversation: proto.String(" ")}
	}
	info := &waE2E.ContextInfo{
		StanzaID:      proto.String(q.MessageID),
		Participant:   proto.String(q.Author.ToNonAD().String()),
		QuotedMessage: original,
	}
	if !q.Group.IsEmpty() {
		info.RemoteJID = proto.String(q.Group.ToNonAD().String())
	}
	return info
}
