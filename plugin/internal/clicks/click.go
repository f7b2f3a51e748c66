package clicks

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// Form is the shape in which a click arrived.
type Form string

// The forms of a click.
const (
	FormInteractive Form = "interactive" // InteractiveResponseMessage, the current form
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
	QuotedID  string // the message that it quotes; empty for none
}

// Keys returns the JIDs under which a menu sent to the click's chat may be stored: the group's, or
// the person's LID and phone JID if they are known.
func (c Click) Keys() []string { return c.Chat.Keys() }

// Limits on what a sender may put into a click.
const (
	maxParams = 262_144 // bytes; WhatsApp's own limit for native flow parameters
	maxID     = 1024    // characters; our own ids end at 256
	maxLabel  = 1024    // characters
	maxName   = 256     // characters
	maxText   = 65_536  // characters; WhatsApp's own limit for a text
)

// asClick reads an unwrapped message as a click. It returns nil for everything that cannot be one:
// media and malformed responses.
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

// responseParams reads NativeFlowResponseMessage.ParamsJSON. Clients disagree on the names, and
// some write the id as a number; unknown members are ignored. Anything but an object yields
// nothing.
func responseParams(raw string) (id, label string) {
	if len(raw) > maxParams {
		return "", ""
	}
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(raw), &members) != nil {
		return "", ""
	}
	first := func(names ...string) string {
		for _, name := range names {
			if text := scalar(members[name]); text != "" {
				return text
			}
		}
		return ""
	}
	return first("id", "selectedRowId", "selected_row_id", "selectedId", "selected_id"),
		first("display_text", "title", "selectedDisplayText")
}

// scalar returns the text of a JSON string, or a JSON number as it is written.
func scalar(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var number json.Number
	if json.Unmarshal(raw, &number) == nil {
		return number.String()
	}
	return ""
}

func either(a, b string) string {
	if strings.TrimSpace(a) != "" {
		return a
	}
	return b
}

// clean makes external text storable: valid UTF-8, without U+0000 (which PostgreSQL refuses), cut
// to limit characters.
func clean(text string, limit int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
	if !longer(text, limit) {
		return text
	}
	return string([]rune(text)[:limit])
}

func longer(text string, limit int) bool {
	return len(text) > limit && utf8.RuneCountInString(text) > limit
}
