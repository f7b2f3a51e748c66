package clicks

import (
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// Kind is what a message received consists of.
type Kind string

// The kinds of message.
const (
	KindText     Kind = "text"
	KindImage    Kind = "image"
	KindVideo    Kind = "video"
	KindAudio    Kind = "audio"
	KindDocument Kind = "document"
	KindSticker  Kind = "sticker"
	KindLocation Kind = "location"
	KindContact  Kind = "contact"
	KindOther    Kind = "other" // shown to a person, but none of the above
)

// Received is a message that a person wrote.
type Received struct {
	MessageID string
	At        time.Time
	Chat      Chat
	Sender    Sender
	Kind      Kind
	Text      string // text or caption
	QuotedID  string // empty if it quotes nothing
}

// Click is the message as something a menu may be looked up for, with Correlate
// or Answers.
func (r Received) Click() Click {
	return Click{
		MessageID: r.MessageID, At: r.At, Chat: r.Chat, Sender: r.Sender,
		Form: FormText, Label: clean(r.Text, maxLabel), QuotedID: r.QuotedID,
	}
}

// asReceived reads an unwrapped message as something a person wrote. It is nil for what
// WhatsApp sends without anybody writing: keys, receipts, reactions, votes, edits and
// deletions.
func asReceived(m *waE2E.Message, info types.MessageInfo) *Received {
	kind, text, quote := content(m)
	if kind == "" {
		return nil
	}
	r := Received{
		MessageID: info.ID, At: info.Timestamp,
		Kind: kind, Text: clean(text, maxText), QuotedID: clean(quote.GetStanzaID(), maxID),
	}
	r.Chat, r.Sender = parties(info)
	return &r
}

// content is empty for what nobody wrote.
func content(m *waE2E.Message) (Kind, string, *waE2E.ContextInfo) {
	switch {
	case m.GetConversation() != "":
		return KindText, m.GetConversation(), nil
	case m.GetExtendedTextMessage() != nil:
		return KindText, m.GetExtendedTextMessage().GetText(), m.GetExtendedTextMessage().GetContextInfo()
	case m.GetImageMessage() != nil:
		return KindImage, m.GetImageMessage().GetCaption(), m.GetImageMessage().GetContextInfo()
	case m.GetVideoMessage() != nil:
		return KindVideo, m.GetVideoMessage().GetCaption(), m.GetVideoMessage().GetContextInfo()
	case m.GetPtvMessage() != nil:
		return KindVideo, m.GetPtvMessage().GetCaption(), m.GetPtvMessage().GetContextInfo()
	case m.GetAudioMessage() != nil:
		return KindAudio, "", m.GetAudioMessage().GetContextInfo()
	case m.GetDocumentMessage() != nil:
		return KindDocument, m.GetDocumentMessage().GetCaption(), m.GetDocumentMessage().GetContextInfo()
	case m.GetStickerMessage() != nil:
		return KindSticker, "", m.GetStickerMessage().GetContextInfo()
	case m.GetLocationMessage() != nil:
		return KindLocation, m.GetLocationMessage().GetName(), m.GetLocationMessage().GetContextInfo()
	case m.GetLiveLocationMessage() != nil:
		return KindLocation, m.GetLiveLocationMessage().GetCaption(), m.GetLiveLocationMessage().GetContextInfo()
	case m.GetContactMessage() != nil:
		return KindContact, m.GetContactMessage().GetDisplayName(), m.GetContactMessage().GetContextInfo()
	case m.GetContactsArrayMessage() != nil:
		return KindContact, m.GetContactsArrayMessage().GetDisplayName(), m.GetContactsArrayMessage().GetContextInfo()
	}
	return other(m)
}

// other is a response to a button that named none, or something people see that
// has no kind of its own here.
func other(m *waE2E.Message) (Kind, string, *waE2E.ContextInfo) {
	switch {
	case m.GetInteractiveResponseMessage() != nil:
		r := m.GetInteractiveResponseMessage()
		return KindOther, r.GetBody().GetText(), r.GetContextInfo()
	case m.GetButtonsResponseMessage() != nil:
		r := m.GetButtonsResponseMessage()
		return KindOther, r.GetSelectedDisplayText(), r.GetContextInfo()
	case m.GetTemplateButtonReplyMessage() != nil:
		r := m.GetTemplateButtonReplyMessage()
		return KindOther, r.GetSelectedDisplayText(), r.GetContextInfo()
	case m.GetListResponseMessage() != nil:
		r := m.GetListResponseMessage()
		return KindOther, r.GetTitle(), r.GetContextInfo()
	case m.GetOrderMessage() != nil:
		return KindOther, m.GetOrderMessage().GetMessage(), m.GetOrderMessage().GetContextInfo()
	case m.GetProductMessage() != nil:
		return KindOther, m.GetProductMessage().GetBody(), m.GetProductMessage().GetContextInfo()
	case m.GetEventMessage() != nil:
		return KindOther, m.GetEventMessage().GetName(), m.GetEventMessage().GetContextInfo()
	}
	return "", "", nil
}
