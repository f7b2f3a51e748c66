package send

import (
	"context"
	"errors"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/sdk"
)

// order is one message to one chat, as requested.
type order struct {
	scope        string // scope of the idempotency key: the operation, or a part of it
	what         string // "buttons" or "text", for the seed's sentence
	request      any    // the request that the key identifies
	instance     string
	number       string
	delay        int // seconds of "typing…"
	replyTo      string
	replyPrivate bool
	header       *header // media to upload; nil for none

	// encode makes the message; profile is empty when it has no stanza nodes.
	encode func(s buttons.Send) (m *waE2E.Message, nodes []waBinary.Node, profile buttons.Profile)
	menu   *menus.Menu  // the menu of its buttons; nil without buttons
	rules  buttons.Menu // which clicks the menu accepts
	output Output       // without the fields that only the ledger and WhatsApp provide

	fallback bool          // if WhatsApp refuses the shape, the menu is sent as text
	warnings []sdk.Warning // for the ledger; the caller has them already
}

// scopeFallback is the idempotency scope of the text that replaces refused buttons:
// a second message under the same key.
const scopeFallback = OpButtons + "/text"

// Buttons sends the buttons, or the same menu as text: always to a channel, which shows no buttons,
// and, if the caller allows it, when WhatsApp refuses them. warnings are those of the request
// alone, which the caller already has. The error is an [sdk.Problem].
func (s *Sender) Buttons(ctx context.Context, call *sdk.Call, r buttons.Request, warnings []sdk.Warning) (sdk.JSON, error) {
	if to, err := recipient.Parse(r.Number); err == nil && to.Kind == recipient.Newsletter {
		o := s.menuAsText(r, call, warnings)
		o.delay = r.Delay // no first attempt has spent the delay
		return s.deliver(ctx, call, o)
	}
	o := s.menuAsButtons(r, call, warnings)
	out, err := s.deliver(ctx, call, o)
	if !o.replaced(err) {
		return out, err
	}
	call.Progress("fallback", "WhatsApp refused the buttons; sending the menu as text", nil)
	refused, _ := errors.AsType[*refusedError](err)
	o = s.menuAsText(r, call, warnings)
	o.warn(call, sentAsText(refused.ack))
	return s.deliver(ctx, call, o)
}

// Text sends a plain text message. See Buttons.
func (s *Sender) Text(ctx context.Context, call *sdk.Call, r buttons.TextRequest, warnings []sdk.Warning) (sdk.JSON, error) {
	return s.deliver(ctx, call, order{
		scope: OpText, what: "text", request: r, instance: r.Instance, number: r.Number,
		delay: r.Delay, replyTo: r.ReplyTo, replyPrivate: r.ReplyPrivate, warnings: warnings,
		encode: func(s buttons.Send) (*waE2E.Message, []waBinary.Node, buttons.Profile) {
			return buttons.EncodeText(r, s.Context), nil, ""
		},
		output: Output{Content: r.ContentText, MessageType: "text", Source: r.Source, ReplyTo: quoted(r.ReplyTo)},
	})
}

func (s *Sender) menuAsButtons(r buttons.Request, call *sdk.Call, warnings []sdk.Warning) order {
	o := order{
		scope: OpButtons, what: "buttons", request: r, instance: r.Instance, number: r.Number,
		delay: r.Delay, replyTo: r.ReplyTo, replyPrivate: r.ReplyPrivate, warnings: warnings,
		menu: menuRow(r, call), rules: r.Menu, fallback: r.Fallback == buttons.FallbackText,
		encode: func(b buttons.Send) (*waE2E.Message, []waBinary.Node, buttons.Profile) {
			m, nodes := s.Profile.Encode(r, b)
			return m, nodes, s.Profile
		},
		output: Output{Content: r.ContentText, MessageType: "buttons", RenderedAs: "buttons", Source: r.Source, ReplyTo: quoted(r.ReplyTo)},
	}
	if r.MediaURL != "" {
		o.header = &header{url: r.MediaURL, kind: r.MediaType}
	}
	return o
}

func (s *Sender) menuAsText(r buttons.Request, call *sdk.Call, warnings []sdk.Warning) order {
	o := s.menuAsButtons(r, call, warnings)
	o.scope, o.delay, o.menu.AsText, o.fallback = scopeFallback, 0, true, false
	o.encode = func(b buttons.Send) (*waE2E.Message, []waBinary.Node, buttons.Profile) {
		return buttons.EncodeFallback(r, b), nil, ""
	}
	o.output.RenderedAs = "text"
	return o
}

func menuRow(r buttons.Request, call *sdk.Call) *menus.Menu {
	m := &menus.Menu{Correlation: call.Correlation, Traceparent: call.Traceparent, Source: r.Source, Policy: menus.Policy(r.Menu.Policy)}
	for _, b := range r.Buttons {
		m.Buttons = append(m.Buttons, menus.Button{ID: b.ID, DisplayText: b.DisplayText, Type: string(b.Kind())})
	}
	return m
}

// replaced reports whether a failed order is followed by one in another form.
func (o order) replaced(err error) bool {
	refused, ok := errors.AsType[*refusedError](err)
	return ok && o.fallback && refusesButtons(refused.ack)
}
