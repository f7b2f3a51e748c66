package clicks

import (
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/internal/recipient"
)

// Timer is what a message says about the life of its chat's messages: a phone has set
// it, or the message itself disappears.
type Timer struct {
	Chat    recipient.Chat
	Seconds uint32 // 0: messages stay
	At      time.Time
	Told    int64 // when it was set as phones tell each other, unix seconds; 0: not said
}

// ReadTimer is nil for a message that says nothing about it. Our own account's phone
// counts like any other.
func ReadTimer(m *events.Message) *Timer {
	if m.Info.Chat.Server == types.NewsletterServer || m.Info.Chat.Server == types.BroadcastServer {
		return nil
	}
	t := Timer{Chat: recipient.ChatOf(m.Info.Chat), At: m.Info.Timestamp}
	if !m.Info.IsGroup {
		other := m.Info.SenderAlt
		if m.Info.IsFromMe {
			other = m.Info.RecipientAlt
		}
		t.Chat = recipient.ChatOf(other, m.Info.Chat)
	}
	inner := unwrap(m.Message)
	if set := inner.GetProtocolMessage(); set != nil {
		if set.GetType() != waE2E.ProtocolMessage_EPHEMERAL_SETTING {
			return nil
		}
		t.Seconds, t.Told = set.GetEphemeralExpiration(), set.GetEphemeralSettingTimestamp()
	} else {
		_, _, info := content(inner)
		if info.GetExpiration() == 0 {
			return nil
		}
		t.Seconds, t.Told = info.GetExpiration(), info.GetEphemeralSettingTimestamp()
	}
	if told := time.Unix(t.Told, 0); t.Told > 0 && told.Before(t.At) { // nobody sets it in the future
		t.At = told
	}
	return &t
}
