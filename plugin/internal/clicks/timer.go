package clicks

import (
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/recipient"
)

// Timer is the disappearing-messages timer of a chat as a message reveals it: the message sets the
// timer or disappears itself.
type Timer struct {
	Chat    recipient.Chat
	Seconds uint32 // 0: messages stay
	At      time.Time
	Told    int64 // when it was set according to the phones, unix seconds; 0: not given
}

// asTimer returns nil for a message that reveals no timer. Messages of our own account's phone
// count like any other.
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
	if told := time.Unix(t.Told, 0); t.Told > 0 && told.Before(t.At) { // not after the message itself
		t.At = told
	}
	return &t
}
