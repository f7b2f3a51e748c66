package clicks

import (
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

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

// asTimer is nil for a message that says nothing about it. Our own account's phone
// counts like any other.
func asTimer(m *waE2E.Message, info types.MessageInfo) *Timer {
	if info.Chat.Server == types.NewsletterServer || info.Chat.Server == types.BroadcastServer {
		return nil
	}
	t := Timer{Chat: recipient.ChatOf(info.Chat), At: info.Timestamp}
	if !info.IsGroup {
		other := info.SenderAlt
		if info.IsFromMe {
			other = info.RecipientAlt
		}
		t.Chat = recipient.ChatOf(other, info.Chat)
	}
	if set := m.GetProtocolMessage(); set != nil {
		if set.GetType() != waE2E.ProtocolMessage_EPHEMERAL_SETTING {
			return nil
		}
		t.Seconds, t.Told = set.GetEphemeralExpiration(), set.GetEphemeralSettingTimestamp()
	} else {
		_, _, about := content(m)
		if about.GetExpiration() == 0 {
			return nil
		}
		t.Seconds, t.Told = about.GetExpiration(), about.GetEphemeralSettingTimestamp()
	}
	if told := time.Unix(t.Told, 0); t.Told > 0 && told.Before(t.At) { // nobody sets it in the future
		t.At = told
	}
	return &t
}
