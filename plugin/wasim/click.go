package wasim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// Shape is the form in which a phone reports a click. It depends on the app and on the message.
type Shape string

// The shapes.
const (
	ShapeInteractive Shape = "interactive" // InteractiveResponseMessage, what phones send today
	ShapeButtons     Shape = "buttons"     // ButtonsResponseMessage
	ShapeTemplate    Shape = "template"    // TemplateButtonReplyMessage
	ShapeList        Shape = "list"        // ListResponseMessage
	ShapeText        Shape = "text"        // the label as a plain text that quotes the message
)

// Shapes lists every Shape.
func Shapes() []Shape {
	return []Shape{ShapeInteractive, ShapeButtons, ShapeTemplate, ShapeList, ShapeText}
}

// ErrNoButton means that the message has no such button, or that pressing it sends no message (URL, CALL, COPY).
var ErrNoButton = errors.New("no such reply button")

// ClickOption changes what a click looks like.
type ClickOption func(*clickConfig)

type clickConfig struct{ noQuote, ephemeral bool }

// NoQuote omits the reference to the clicked message, as some apps do after forwarding.
func NoQuote() ClickOption { return func(c *clickConfig) { c.noQuote = true } }

// Ephemeral wraps the click as phones do in a chat with disappearing messages.
func Ephemeral() ClickOption { return func(c *clickConfig) { c.ephemeral = true } }

// Click presses a button of a message in the given shape ("" is ShapeInteractive) and returns the id of the message
// that reports the click.
func (p *Phone) Click(ctx context.Context, m Message, buttonID string, shape Shape, options ...ClickOption) (types.MessageID, error) {
	var cfg clickConfig
	for _, o := range options {
		o(&cfg)
	}
	for i, b := range m.Buttons {
		if b.ID != buttonID || (b.Type != ButtonReply && b.Type != ButtonRow) {
			continue
		}
		msg, err := clickMessage(b, i, shape, quote(m, cfg))
		if err != nil {
			return "", err
		}
		if cfg.ephemeral {
			msg = &waE2E.Message{EphemeralMessage: &waE2E.FutureProofMessage{Message: msg}}
		}
		return p.Send(ctx, m.Chat, msg)
	}
	return "", fmt.Errorf("%w: %q", ErrNoButton, buttonID)
}

func quote(m Message, cfg clickConfig) *waE2E.ContextInfo {
	if cfg.noQuote {
		return &waE2E.ContextInfo{}
	}
	return &waE2E.ContextInfo{
		StanzaID:      proto.String(m.ID),
		Participant:   proto.String(m.From.String()),
		QuotedMessage: proto.CloneOf(m.Message),
	}
}

func clickMessage(b Button, index int, shape Shape, quoted *waE2E.ContextInfo) (*waE2E.Message, error) {
	switch shape {
	case ShapeInteractive, "":
		params, err := json.Marshal(map[string]string{"id": b.ID})
		if err != nil {
			return nil, fmt.Errorf("encode click: %w", err)
		}
		return &waE2E.Message{InteractiveResponseMessage: &waE2E.InteractiveResponseMessage{
			Body:        &waE2E.InteractiveResponseMessage_Body{Text: proto.String(b.DisplayText)},
			ContextInfo: quoted,
			InteractiveResponseMessage: &waE2E.InteractiveResponseMessage_NativeFlowResponseMessage_{
				NativeFlowResponseMessage: &waE2E.InteractiveResponseMessage_NativeFlowResponseMessage{
					Name: proto.String("quick_reply"), ParamsJSON: proto.String(string(params)), Version: proto.Int32(1),
				},
			},
		}}, nil
	case ShapeButtons:
		return &waE2E.Message{ButtonsResponseMessage: &waE2E.ButtonsResponseMessage{
			SelectedButtonID: proto.String(b.ID),
			Response:         &waE2E.ButtonsResponseMessage_SelectedDisplayText{SelectedDisplayText: b.DisplayText},
			Type:             waE2E.ButtonsResponseMessage_DISPLAY_TEXT.Enum(),
			ContextInfo:      quoted,
		}}, nil
	case ShapeTemplate:
		return &waE2E.Message{TemplateButtonReplyMessage: &waE2E.TemplateButtonReplyMessage{
			SelectedID: proto.String(b.ID), SelectedDisplayText: proto.String(b.DisplayText),
			SelectedIndex: proto.Uint32(uint32(index)), ContextInfo: quoted,
		}}, nil
	case ShapeList:
		return &waE2E.Message{ListResponseMessage: &waE2E.ListResponseMessage{
			Title: proto.String(b.DisplayText), ListType: waE2E.ListResponseMessage_SINGLE_SELECT.Enum(),
			SingleSelectReply: &waE2E.ListResponseMessage_SingleSelectReply{SelectedRowID: proto.String(b.ID)},
			ContextInfo:       quoted,
		}}, nil
	case ShapeText:
		return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(b.DisplayText), ContextInfo: quoted}}, nil
	}
	return nil, fmt.Errorf("no click has the shape %q", shape)
}
