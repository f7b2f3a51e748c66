package recipient

import (
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/types"
)

// Chat names a conversation by either or both of its names. A person has a phone JID
// and a LID; a group or a channel only a JID.
type Chat struct {
	JID string // phone JID, group JID, …; "" when unknown
	LID string // @lid JID; "" when unknown
}

// ChatOf names a conversation by the forms that are known, each without a device.
func ChatOf(forms ...types.JID) Chat {
	var c Chat
	for _, jid := range forms {
		switch {
		case jid.IsEmpty():
		case jid.Server == types.HiddenUserServer:
			c.LID = jid.ToNonAD().String()
		default:
			c.JID = jid.ToNonAD().String()
		}
	}
	return c
}

// Addressee is the name a message goes to: the LID where it is known, which is where
// WhatsApp keeps the chat.
func (c Chat) Addressee() (types.JID, error) {
	s := c.LID
	if s == "" {
		s = c.JID
	}
	jid, err := types.ParseJID(s)
	if err != nil {
		return jid, fmt.Errorf("read the stored chat: %w", err)
	}
	return jid, nil
}

// Person reports whether the chat is with one person.
func (c Chat) Person() bool {
	return c.LID != "" || strings.HasSuffix(c.JID, "@"+types.DefaultUserServer)
}

// Phone is the person's number in digits; "" when it is not known.
func (c Chat) Phone() string {
	jid, err := types.ParseJID(c.JID)
	if err != nil || jid.Server != types.DefaultUserServer {
		return ""
	}
	return jid.User
}
