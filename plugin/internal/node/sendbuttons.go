package node

import (
	"context"
	"errors"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"
)

// scopeFallback is the idempotency scope of the text that replaces refused buttons:
// a second message under the same key.
const scopeFallback = opSendButtons + "/text"

func (n *node) sendButtons() sdk.Offer {
	return sdk.Action[buttons.Request, sdk.JSON]{
		ID: opSendButtons, Title: "Send buttons", Icon: "whatsapp",
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
				return nil, numberProblem(err)
			}
			return buttons.NewPreview(r, to), nil
		},
		Run: func(ctx context.Context, call *sdk.Call, r buttons.Request) (sdk.JSON, error) {
			return n.process.Load().sendMenu(ctx, call, r)
		},
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

// sendMenu sends the buttons, or the same menu as text: to a channel, which shows no
// buttons, and, if the caller allows it, when WhatsApp does not take them.
func (p *process) sendMenu(ctx context.Context, call *sdk.Call, r buttons.Request) (sdk.JSON, error) {
	if to, err := recipient.Parse(r.Number); err == nil && to.Kind == recipient.Newsletter {
		d := p.menuAsText(r, call.Correlation)
		d.delay = seconds(r.Delay) // no first attempt has waited
		return p.deliver(ctx, call, d)
	}
	d := p.menuAsButtons(r, call.Correlation)
	out, err := p.deliver(ctx, call, d)
	if !d.replaced(err) {
		return out, err
	}
	call.Progress("fallback", "WhatsApp refused the buttons; sending the menu as text", nil)
	refused, _ := errors.AsType[*refusedError](err)
	d = p.menuAsText(r, call.Correlation)
	d.warn(call, sentAsText(refused.ack))
	return p.deliver(ctx, call, d)
}

func (p *process) menuAsButtons(r buttons.Request, correlation string) delivery {
	d := delivery{
		scope: opSendButtons, what: "buttons", request: r, instance: r.Instance, number: r.Number,
		delay: seconds(r.Delay), replyTo: r.ReplyTo, replyPrivate: r.ReplyPrivate,
		menu: menuRow(r, correlation), rules: r.Menu, fallback: r.Fallback == buttons.FallbackText,
		encode: func(s buttons.Send) (*waE2E.Message, []waBinary.Node, buttons.Profile) {
			m, nodes := p.profile.Encode(r, s)
			return m, nodes, p.profile
		},
		output: output{Content: r.ContentText, MessageType: "buttons", RenderedAs: "buttons", Source: r.Source, ReplyTo: quoted(r.ReplyTo)},
	}
	_, warnings := buttons.Validate(r)
	d.warnings = warningsOf(warnings)
	if r.MediaURL != "" {
		d.header = &header{url: r.MediaURL, kind: r.MediaType}
	}
	return d
}

func (p *process) menuAsText(r buttons.Request, correlation string) delivery {
	d := p.menuAsButtons(r, correlation)
	d.scope, d.delay, d.menu.AsText, d.fallback = scopeFallback, 0, true, false
	d.encode = func(s buttons.Send) (*waE2E.Message, []waBinary.Node, buttons.Profile) {
		return buttons.EncodeFallback(r, s), nil, ""
	}
	d.output.RenderedAs = "text"
	return d
}

func menuRow(r buttons.Request, correlation string) *store.Menu {
	m := &store.Menu{Correlation: correlation, Source: r.Source, Policy: store.Policy(r.Menu.Policy)}
	for _, b := range r.Buttons {
		m.Buttons = append(m.Buttons, store.Button{ID: b.ID, DisplayText: b.DisplayText, Type: string(b.Kind())})
	}
	return m
}

func quoted(id string) *quotedID {
	if id == "" {
		return nil
	}
	return &quotedID{MessageID: id}
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
