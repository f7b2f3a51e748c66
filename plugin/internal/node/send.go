package node

import (
	"context"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"

	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/plugin/internal/send"
)

func (n *node) sendButtons() sdk.Offer {
	return sdk.Action[buttons.Request, sdk.JSON]{
		ID: send.OpButtons, Title: "Send buttons", Icon: "whatsapp",
		Summary: "Sends a WhatsApp message with up to three buttons; every REPLY button is an exit of its own.",
		Input:   schemas.Read(schemas.SendButtonsInput),
		Output:  schemas.Read(schemas.SendButtonsOutput),
		Ports: []sdk.Port{
			{ID: "sent", Label: "Sent"},
			{ID: "text", Label: "Other answer"},
			{ID: "error", Label: "Error"},
		},
		PortRules: []sdk.PortRule{{
			Each: "/buttons", Where: map[string]string{"type": "REPLY"}, ID: "reply:{id}", Label: "{displayText}",
		}},
		Events: []sdk.EventType{clickEvent(), messageEvent()},
		Replay: sdk.Keyed,
		HTTP:   &sdk.Route{Method: "POST", Path: "/api/message/button/{instance}"},
		Check:  checkButtons,
		Preview: func(_ context.Context, _ *sdk.Call, r buttons.Request) (any, error) {
			to, err := recipient.Parse(r.Number)
			if err != nil {
				return nil, problem.Number(err)
			}
			return buttons.NewPreview(r, to), nil
		},
		Run: traced(send.OpButtons, func(ctx context.Context, call *sdk.Call, r buttons.Request) (sdk.JSON, error) {
			_, warnings := buttons.Validate(r)
			return n.process.Load().send.Buttons(ctx, call, r, warningsOf(warnings))
		}),
	}
}

func checkButtons(input []byte) (buttons.Request, []sdk.Violation, []sdk.Warning) {
	r, violations := buttons.Parse(input)
	if len(violations) > 0 {
		return r, violationsOf(violations), nil
	}
	violations, warnings := buttons.Validate(r)
	return r, violationsOf(violations), warningsOf(warnings)
}

func (n *node) sendText() sdk.Offer {
	return sdk.Action[buttons.TextRequest, sdk.JSON]{
		ID: send.OpText, Title: "Send text", Icon: "message-square",
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
				return nil, problem.Number(err)
			}
			return buttons.NewTextPreview(r, to), nil
		},
		Run: traced(send.OpText, func(ctx context.Context, call *sdk.Call, r buttons.TextRequest) (sdk.JSON, error) {
			_, warnings := buttons.ValidateText(r)
			return n.process.Load().send.Text(ctx, call, r, warningsOf(warnings))
		}),
	}
}

func violationsOf(list []buttons.Violation) []sdk.Violation {
	out := make([]sdk.Violation, len(list))
	for i, v := range list {
		out[i] = sdk.Violation(v)
	}
	return out
}

func warningsOf(list []buttons.Warning) []sdk.Warning {
	out := make([]sdk.Warning, len(list))
	for i, w := range list {
		out[i] = sdk.Warning(w)
	}
	return out
}
