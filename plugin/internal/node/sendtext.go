package node

import (
	"context"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"
)

func (n *node) sendText() sdk.Offer {
	return sdk.Action[buttons.TextRequest, sdk.JSON]{
		ID: opSendText, Title: "Send text", Icon: "message-square",
		Summary: "Sends a plain WhatsApp message, for instance the answer to a click.",
		Input:   schemas.Read(schemas.SendTextInput),
		Output:  schemas.Read(schemas.SendTextOutput),
		Ports:   []sdk.Port{{ID: "out", Label: "Sent"}, {ID: "error", Label: "Error"}},
		Replay:  sdk.Keyed,
		Check: func(input []byte) (buttons.TextRequest, []sdk.Violation, []sdk.Warning) {
			r, violations := buttons.ParseText(input)
			if len(violations) > 0 {
				return r, violationsOf(violations), nil
			}
			violations, warnings := buttons.ValidateText(r)
			return r, violationsOf(violations), warningsOf(warnings)
		},
		Preview: func(_ context.Context, _ *sdk.Call, r buttons.TextRequest) (any, error) {
			to, err := recipient.Parse(r.Number)
			if err != nil {
				return nil, numberProblem(err)
			}
			return buttons.NewTextPreview(r, to), nil
		},
		Run: func(ctx context.Context, call *sdk.Call, r buttons.TextRequest) (sdk.JSON, error) {
			_, warnings := buttons.ValidateText(r)
			return n.process.Load().deliver(ctx, call, delivery{
				warnings: warningsOf(warnings),
				scope:    opSendText, what: "text", request: r, instance: r.Instance, number: r.Number,
				delay: seconds(r.Delay), replyTo: r.ReplyTo, replyPrivate: r.ReplyPrivate,
				encode: func(s buttons.Send) (*waE2E.Message, []waBinary.Node, buttons.Profile) {
					return buttons.EncodeText(r, s.Quote), nil, ""
				},
				output: output{Content: r.ContentText, MessageType: "text", Source: r.Source, ReplyTo: quoted(r.ReplyTo)},
			})
		},
	}
}
