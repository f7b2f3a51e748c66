package clicks

import (
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// Form is the shape in which a click arrived.
type Form string

// The forms of a click.
const (
	FormInteractive Form = "interactive" // InteractiveResponseMessage, today's
	FormButtons     Form = "buttons"     // ButtonsResponseMessage
	FormTemplate    Form = "template"    // TemplateButtonReplyMessage
	FormList        Form = "list"        // ListResponseMessage
	FormText        Form = "text"        // typed: a click only if Correlate finds a menu
)

// Click is what a message claims to be: a tap on a button, or, with FormText, an
// answer in words that may be one.
type Click struct {
	MessageID string
	At        time.Time
	Chat      Chat
	Sender    Sender
	Form      Form
	ButtonID  string // empty with FormText
	Label     string // what the person saw; with FormText, what they typed
	QuotedID  string // the message it answers; empty if it names none
}

// Keys are the JIDs under which a menu sent to the click's chat may be stored: the
// group's, or the person's LID and phone JID as far as they are known.
func (c Click) Keys() []string { return c.Chat.Keys() }

// Limits on what a sender may put into a click.
const (
	maxParams = 262_144 // bytes; WhatsApp's own for native flow parameters
	maxID     = 1024    // characters; our own ids end at 256
	maxLabel  = 1024    // characters
	maxName   = 256     // characters
	maxText   = 65_536  // characters; WhatsApp's own for a text
)

// asClick reads an unwrapped message as a click. It is nil for everything that cannot
// be one: media, and malformed responses.
func asClick(m *waE2E.Message, info types.MessageInfo) *Click {
	c := Click{MessageID: info.ID, At: info.Timestamp}
	c.Chat, c.Sender = parties(info)
	var id, label string
	var quote *waE2E.ContextInfo
	switch {
	case m.GetInteractiveResponseMessage() != nil:
		r := m.GetInteractiveResponseMessage()
		c.Form, quote = FormInteractive, r.GetContextInfo()
		id, label = responseParams(r.GetNativeFlowResponseMessage().GetParamsJSON())
		label = either(label, r.GetBody().GetText())
	case m.GetButtonsResponseMessage() != nil:
		r := m.GetButtonsResponseMessage()
		c.Form, quote = FormButtons, r.GetContextInfo()
		id, label = r.GetSelectedButtonID(), r.GetSelectedDisplayText()
	case m.GetTemplateButtonReplyMessage() != nil:
		r := m.GetTemplateButtonReplyMessage()
		c.Form, quote = FormTemplate, r.GetContextInfo()
		id, label = r.GetSelectedID(), r.GetSelectedDisplayText()
	case m.GetListResponseMessage() != nil:
		r := m.GetListResponseMessage()
		c.Form, quote = FormList, r.GetContextInfo()
		id, label = r.GetSingleSelectReply().GetSelectedRowID(), r.GetTitle()
	case m.GetConversation() != "":
		c.Form, label = FormText, m.GetConversation()
	case m.GetExtendedTextMessage() != nil:
		c.Form, quote = FormText, m.GetExtendedTextMessage().GetContextInfo()
		label = m.GetExtendedTextMessage().GetText()
	default:
		return nil
	}
	if longer(id, maxID) || id == "" && label == "" {
		return nil
	}
	if id == "" {
		c.Form = FormText // a response without an id says no more than its words
	}
	c.ButtonID, c.Label, c.QuotedID = clean(id, maxID), clean(label, maxLabel), clean(quote.GetStanzaID(), maxID)
	return &c
}
