package buttons

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/internal/recipient"
)

// interactiveMessage builds the message of the profiles Direct and Full. Header and footer are left
// out when empty: iPhones are reported to drop a message with empty ones.
func interactiveMessage(r Request, s Send) *waE2E.Message {
	m := &waE2E.InteractiveMessage{
		Body:        &waE2E.InteractiveMessage_Body{Text: proto.String(r.ContentText)},
		ContextInfo: s.Context,
	}
	if s.Media != nil {
		m.Header = s.Media.header()
	} else if r.HeaderText != "" {
		m.Header = &waE2E.InteractiveMessage_Header{
			Title:              proto.String(r.HeaderText),
			HasMediaAttachment: proto.Bool(false),
		}
	}
	if r.FooterText != "" {
		m.Footer = &waE2E.InteractiveMessage_Footer{Text: proto.String(r.FooterText)}
	}
	flow := &waE2E.InteractiveMessage_NativeFlowMessage{MessageVersion: proto.Int32(1)}
	for _, b := range r.Buttons {
		flow.Buttons = append(flow.Buttons, nativeFlowButton(b))
	}
	m.InteractiveMessage = &waE2E.InteractiveMessage_NativeFlowMessage_{NativeFlowMessage: flow}
	return &waE2E.Message{InteractiveMessage: m}
}

// params are the members of ButtonParamsJSON, in the order clients write them.
type params struct {
	DisplayText string `json:"display_text"`
	ID          string `json:"id,omitempty"`
	URL         string `json:"url,omitempty"`
	MerchantURL string `json:"merchant_url,omitempty"`
	PhoneNumber string `json:"phone_number,omitempty"`
	CopyCode    string `json:"copy_code,omitempty"`
}

func nativeFlowButton(b Button) *waE2E.InteractiveMessage_NativeFlowMessage_NativeFlowButton {
	var name string
	p := params{DisplayText: b.DisplayText}
	switch b.Kind() {
	case URL:
		name, p.URL, p.MerchantURL = "cta_url", b.ID, b.ID
	case Call:
		name, p.PhoneNumber = "cta_call", callNumber(b)
	case Copy:
		name, p.CopyCode = "cta_copy", b.ID
	default:
		name, p.ID = "quick_reply", b.ID
	}
	return &waE2E.InteractiveMessage_NativeFlowMessage_NativeFlowButton{
		Name:             proto.String(name),
		ButtonParamsJSON: proto.String(p.json()),
	}
}

// callNumber returns the number without punctuation.
func callNumber(b Button) string {
	if number, ok := recipient.Dial(b.ID); ok {
		return number
	}
	return b.ID
}

// json leaves & < > unescaped, so that links stay readable in a capture.
func (p params) json() string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil {
		panic(fmt.Sprintf("buttons: a struct of strings did not encode: %v", err))
	}
	return string(bytes.TrimSuffix(out.Bytes(), []byte("\n")))
}

// legacyMessage builds the message of the profile Legacy. The caption wrapper also keeps whatsmeow
// (getButtonTypeFromMessage, send.go) from seeing the ButtonsMessage and adding a <biz> of its own.
func legacyMessage(r Request, s Send) *waE2E.Message {
	m := &waE2E.ButtonsMessage{
		ContentText: proto.String(r.ContentText),
		HeaderType:  waE2E.ButtonsMessage_EMPTY.Enum(),
		ContextInfo: s.Context,
	}
	if s.Media != nil {
		s.Media.legacyHeader(m)
	} else if r.HeaderText != "" {
		m.HeaderType = waE2E.ButtonsMessage_TEXT.Enum()
		m.Header = &waE2E.ButtonsMessage_Text{Text: r.HeaderText}
	}
	if r.FooterText != "" {
		m.FooterText = proto.String(r.FooterText)
	}
	for _, b := range r.Buttons {
		m.Buttons = append(m.Buttons, &waE2E.ButtonsMessage_Button{
			ButtonID:       proto.String(b.ID),
			ButtonText:     &waE2E.ButtonsMessage_Button_ButtonText{DisplayText: proto.String(b.DisplayText)},
			Type:           waE2E.ButtonsMessage_Button_RESPONSE.Enum(),
			NativeFlowInfo: &waE2E.ButtonsMessage_Button_NativeFlowInfo{},
		})
	}
	return &waE2E.Message{
		DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ButtonsMessage: m}},
	}
}
