package wasim

import (
	"cmp"
	"encoding/json"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
)

// Button types, as the request of whatsapp.sendButtons names them. Row is a row of a list.
const (
	ButtonReply = "REPLY"
	ButtonURL   = "URL"
	ButtonCall  = "CALL"
	ButtonCopy  = "COPY"
	ButtonRow   = "ROW"
)

// Button is one button of a message.
type Button struct {
	Type        string // one of the constants, or the native flow's name if none fits
	ID          string // of REPLY and ROW
	DisplayText string
	URL         string // of URL
	Phone       string // of CALL
	Code        string // of COPY
	Params      string // the native flow's JSON, as sent
}

// parse fills the fields that the person sees from the message.
func (m *Message) parse() {
	msg := m.Message
	switch {
	case msg.GetInteractiveMessage() != nil:
		m.parseInteractive(msg.GetInteractiveMessage())
	case msg.GetButtonsMessage() != nil:
		b := msg.GetButtonsMessage()
		m.Text, m.Header, m.Footer = b.GetContentText(), b.GetText(), b.GetFooterText()
		for _, button := range b.GetButtons() {
			m.Buttons = append(m.Buttons, Button{Type: ButtonReply, ID: button.GetButtonID(), DisplayText: button.GetButtonText().GetDisplayText()})
		}
	case msg.GetTemplateMessage() != nil:
		m.parseTemplate(msg.GetTemplateMessage().GetHydratedTemplate())
	case msg.GetListMessage() != nil:
		l := msg.GetListMessage()
		m.Text, m.Header, m.Footer = l.GetDescription(), l.GetTitle(), l.GetFooterText()
		for _, section := range l.GetSections() {
			for _, row := range section.GetRows() {
				m.Buttons = append(m.Buttons, Button{Type: ButtonRow, ID: row.GetRowID(), DisplayText: row.GetTitle()})
			}
		}
	default:
		m.Text = plainText(msg)
	}
	info := contextOf(msg)
	m.Quoted = info.GetStanzaID()
	if life := info.GetExpiration(); life > 0 {
		m.expires = m.Time.Add(time.Duration(life) * time.Second)
	}
}

func plainText(msg *waE2E.Message) string {
	return cmp.Or(
		msg.GetConversation(), msg.GetExtendedTextMessage().GetText(),
		msg.GetImageMessage().GetCaption(), msg.GetVideoMessage().GetCaption(), msg.GetDocumentMessage().GetCaption(),
		msg.GetInteractiveResponseMessage().GetBody().GetText(), msg.GetButtonsResponseMessage().GetSelectedDisplayText(),
		msg.GetTemplateButtonReplyMessage().GetSelectedDisplayText(), msg.GetListResponseMessage().GetTitle(),
		msg.GetReactionMessage().GetText(),
	)
}

// shows reports whether the message has anything to show to a person.
func shows(msg *waE2E.Message) bool {
	return plainText(msg) != "" || msg.GetInteractiveMessage() != nil || msg.GetButtonsMessage() != nil ||
		msg.GetTemplateMessage() != nil || msg.GetListMessage() != nil || msg.GetImageMessage() != nil ||
		msg.GetVideoMessage() != nil || msg.GetDocumentMessage() != nil
}

func contextOf(msg *waE2E.Message) *waE2E.ContextInfo {
	for _, c := range []interface{ GetContextInfo() *waE2E.ContextInfo }{
		msg.GetExtendedTextMessage(), msg.GetInteractiveMessage(), msg.GetInteractiveResponseMessage(), msg.GetButtonsMessage(),
		msg.GetButtonsResponseMessage(), msg.GetTemplateMessage(), msg.GetTemplateButtonReplyMessage(), msg.GetListMessage(),
		msg.GetListResponseMessage(), msg.GetImageMessage(), msg.GetVideoMessage(), msg.GetDocumentMessage(),
	} {
		if info := c.GetContextInfo(); info != nil {
			return info
		}
	}
	return nil
}

func (m *Message) parseInteractive(i *waE2E.InteractiveMessage) {
	m.Text, m.Header, m.Footer = i.GetBody().GetText(), i.GetHeader().GetTitle(), i.GetFooter().GetText()
	for _, b := range i.GetNativeFlowMessage().GetButtons() {
		m.Buttons = append(m.Buttons, parseFlowButton(b.GetName(), b.GetButtonParamsJSON()))
	}
}

// parseFlowButton reads a button leniently, as phones do: missing fields stay empty.
func parseFlowButton(name, params string) Button {
	var p struct {
		ID      string `json:"id"`
		Display string `json:"display_text"`
		URL     string `json:"url"`
		Phone   string `json:"phone_number"`
		Code    string `json:"copy_code"`
	}
	b := Button{Type: name, Params: params}
	if json.Unmarshal([]byte(params), &p) != nil {
		return b
	}
	if known, ok := flowTypes[name]; ok {
		b.Type = known
	}
	b.ID, b.DisplayText, b.URL, b.Phone, b.Code = p.ID, p.Display, p.URL, p.Phone, p.Code
	return b
}

var flowTypes = map[string]string{"quick_reply": ButtonReply, "cta_url": ButtonURL, "cta_call": ButtonCall, "cta_copy": ButtonCopy}

func (m *Message) parseTemplate(t *waE2E.TemplateMessage_HydratedFourRowTemplate) {
	m.Text, m.Header, m.Footer = t.GetHydratedContentText(), t.GetHydratedTitleText(), t.GetHydratedFooterText()
	for _, h := range t.GetHydratedButtons() {
		switch {
		case h.GetQuickReplyButton() != nil:
			m.Buttons = append(m.Buttons, Button{Type: ButtonReply, ID: h.GetQuickReplyButton().GetID(), DisplayText: h.GetQuickReplyButton().GetDisplayText()})
		case h.GetUrlButton() != nil:
			m.Buttons = append(m.Buttons, Button{Type: ButtonURL, URL: h.GetUrlButton().GetURL(), DisplayText: h.GetUrlButton().GetDisplayText()})
		case h.GetCallButton() != nil:
			m.Buttons = append(m.Buttons, Button{Type: ButtonCall, Phone: h.GetCallButton().GetPhoneNumber(), DisplayText: h.GetCallButton().GetDisplayText()})
		}
	}
}
