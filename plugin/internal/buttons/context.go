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
	// Group is where it was written, when the answer goes to the author's private
	// chat instead (replyPrivate); else empty.
	Group types.JID
}

// Disappearing lets a message disappear with the others of its chat, seconds after it
// was read: without this phones note that it will not, and blame an old version. setAt is
// when the timer was set, in unix seconds, as phones tell each other; 0: not known. info
// is what the message says already; nil for nothing.
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

// contentOf is what a quote shows of a message, as the apps send it: not what that one
// quotes, mentions or was forwarded from, and nothing that is meant for programs.
func contentOf(m *waE2E.Message) *waE2E.Message {
	m = proto.CloneOf(m)
	m.MessageContextInfo, m.SenderKeyDistributionMessage = nil, nil
	withoutContext(m.ProtoReflect())
	return m
}

var contextInfo = (&waE2E.ContextInfo{}).ProtoReflect().Descriptor().FullName()

// withoutContext removes the context from a message, wherever it is.
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
