package buttons

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// legacyMessage is the shape of Legacy. The caption wrapper also keeps whatsmeow
// (getButtonTypeFromMessage, send.go) from seeing the ButtonsMessage and adding a
// <biz> of its own.
func legacyMessage(r Request, s Send) *waE2E.Message {
	m := &waE2E.ButtonsMessage{
		ContentText: proto.String(r.ContentText),
		HeaderType:  waE2E.ButtonsMessage_EMPTY.Enum(),
		ContextInfo: s.Quote,
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
