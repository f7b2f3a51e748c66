package clicks

import (
	"slices"

	"go.mau.fi/whatsmeow/types"
)

// Party is a chat or a person under both of its addresses. Either may be unknown:
// WhatsApp hides phone numbers, and older chats have no LID.
type Party struct {
	JID   string  `json:"jid"`   // the address that the message came with
	LID   *string `json:"lid"`   // …@lid
	Phone *string `json:"phone"` // digits with country code
}

// Chat is the chat that an event happened in.
type Chat struct {
	Party
	Type string `json:"type"` // private or group
}

// The types of chat.
const (
	Private = "private"
	Group   = "group"
)

// Sender is the person who caused an event.
type Sender struct {
	Party
	Name string `json:"name"` // chosen by the sender
}

// party sorts the addresses of one party into LID and phone number. The first one becomes its JID.
func party(addresses ...types.JID) Party {
	var p Party
	for _, jid := range addresses {
		jid = normal(jid)
		if jid.IsEmpty() {
			continue
		}
		if p.JID == "" {
			p.JID = jid.String()
		}
		switch {
		case jid.Server == types.HiddenUserServer && p.LID == nil:
			lid := jid.String()
			p.LID = &lid
		case jid.Server == types.DefaultUserServer && p.Phone == nil:
			phone := jid.User
			p.Phone = &phone
		}
	}
	return p
}

// Keys returns all known JIDs of the party, the LID first: it is never given to somebody else.
func (p Party) Keys() []string {
	var keys []string
	if p.LID != nil {
		keys = append(keys, *p.LID)
	}
	if p.Phone != nil {
		keys = append(keys, types.NewJID(*p.Phone, types.DefaultUserServer).String())
	}
	if !slices.Contains(keys, p.JID) {
		keys = append(keys, p.JID)
	}
	return keys
}

// normal maps the JIDs that one account may appear under to a single one: without device and agent,
// and on the server of ordinary accounts.
func normal(jid types.JID) types.JID {
	jid = jid.ToNonAD()
	switch jid.Server {
	case types.LegacyUserServer, types.HostedServer:
		jid.Server = types.DefaultUserServer
	case types.HostedLIDServer:
		jid.Server = types.HiddenUserServer
	}
	return jid
}

// parties returns the chat and the sender of a message. A private chat has the addresses of the
// person. A message that came through the person's broadcast list belongs to that private chat,
// too, because phones show it there.
func parties(info types.MessageInfo) (Chat, Sender) {
	sender := Sender{Party: party(info.Sender, info.SenderAlt), Name: clean(info.PushName, maxName)}
	if info.Chat.Server == types.GroupServer {
		return Chat{Party: party(info.Chat), Type: Group}, sender
	}
	chat := info.Chat
	if chat.IsBroadcastList() {
		chat = info.Sender
	}
	return Chat{Party: party(chat, info.Sender, info.SenderAlt), Type: Private}, sender
}

// foreign reports whether a message was written by somebody else in a chat where menus are
// answered: not our own echo, a status or a channel message.
func foreign(info types.MessageInfo) bool {
	if info.IsFromMe || info.ID == "" || info.Sender.IsEmpty() {
		return false
	}
	switch normal(info.Chat).Server {
	case types.DefaultUserServer, types.HiddenUserServer, types.GroupServer:
		return true
	}
	return info.Chat.IsBroadcastList()
}
