package buttons

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Quoted names the message that a send answers.
type Quoted struct {
	MessageID string
	Author    types.JID      // who wrote it
	Original  *waE2E.Message // its content; nil if it is not stored any more
	// Group is the group that the quoted message was written in, if the answer goes to the author's
	// private chat instead (replyPrivate); otherwise empty.
	Group types.JID
}

// Disappearing makes a message disappear like the others of its chat, the given seconds after it
// was read. Without this, phones show a notice that the message will not disappear and blame an old
// app version. setAt is when the timer was set according to the phones, in unix seconds; 0: not
// known. info is the context that the message already has, or nil.
func Disappearing(info *waE2E.ContextInfo, seconds uint32, setAt int64) *waE2E.ContextInfo {
	if seconds == 0 {
		return info
	}
	if info == nil {
		info = &waE2E.ContextInfo{}
	}
	info.Expiration = proto.Uint32(seconds)
	if setAt > 0 {
		info.EphemeralSettingTimestamp = proto.Int64(setAt)
	}
	return info
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
		QuotedMessage: contentOf(original),
	}
	if !q.Group.IsEmpty() {
		info.RemoteJID = proto.String(q.Group.ToNonAD().String())
	}
	return info
}

// contentOf returns what a quote shows of a message, as the official apps send it: without what the
// message itself quotes, mentions or was forwarded from, and without anything meant for programs.
func contentOf(m *waE2E.Message) *waE2E.Message {
	m = proto.CloneOf(m)
	m.MessageContextInfo, m.SenderKeyDistributionMessage = nil, nil
	withoutContext(m.ProtoReflect())
	return m
}

var contextInfo = (&waE2E.ContextInfo{}).ProtoReflect().Descriptor().FullName()

// withoutContext removes the context from a message, at any depth.
func withoutContext(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil || f.IsMap():
		case f.Message().FullName() == contextInfo:
			m.Clear(f)
		case f.IsList():
			for i := range v.List().Len() {
				withoutContext(v.List().Get(i).Message())
			}
		default:
			withoutContext(v.Message())
		}
		return true
	})
}
