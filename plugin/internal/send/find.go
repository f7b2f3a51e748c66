package send

import (
	"context"
	"errors"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/sdk"
)

// Whom identifies a person in the same way as a send does.
type Whom struct {
	Instance string `json:"instance"`
	Number   string `json:"number"`
}

// Person is whatsapp.contact.find.output.json.
type Person struct {
	Found bool    `json:"found"`
	JID   *string `json:"jid"`
	LID   *string `json:"lid"`
	Phone *string `json:"phone"`
}

// Find reports whether a number is on WhatsApp, and under which addresses. The error is an
// [sdk.Problem].
func (s *Sender) Find(ctx context.Context, call *sdk.Call, q Whom) (Person, error) {
	r, err := recipient.Parse(q.Number)
	if err == nil && (r.Kind == recipient.Group || r.Kind == recipient.Newsletter) {
		err = &recipient.Error{Detail: "it is not a person's", Suggestion: "give a phone number, or a JID ending in @s.whatsapp.net or @lid"}
	}
	if err != nil {
		return Person{}, problem.Number(err)
	}
	inst, err := s.Pool.Under(ctx, q.Instance, call.LeaseEpoch)
	if err != nil {
		return Person{}, problem.Of(err)
	}
	if err := inst.Online(ctx); err != nil {
		return Person{}, problem.Disconnected()
	}
	cli, err := inst.Client()
	if err != nil {
		return Person{}, problem.Disconnected()
	}
	res, err := recipient.Resolve(ctx, r, lookup{s.numbers, inst, cli, s.QueryTime})
	if errors.Is(err, recipient.ErrNotOnWhatsApp) {
		return Person{}, nil
	}
	if err != nil {
		p := sendProblem("", err)
		if p.Code == "send_failed" { // nothing was to be sent
			p.Code, p.Message = "query_failed", "WhatsApp did not say whose number it is; try again"
		}
		p.Effect = sdk.EffectNone
		return Person{}, p
	}
	_, chat := s.names(ctx, cli, q.Instance, res)
	return Person{Found: chat.JID != "" || r.Kind == recipient.Phone, JID: text(chat.JID), LID: text(chat.LID), Phone: text(chat.Phone())}, nil
}

// names completes WhatsApp's answer with the addresses it has given before.
func (s *Sender) names(ctx context.Context, cli *whatsmeow.Client, instance string, res recipient.Resolution) (types.JID, recipient.Chat) {
	if res.JID.Server == types.HiddenUserServer && res.Phone.IsEmpty() {
		// A click may come from the phone number.
		phone, err := cli.Store.LIDs.GetPNForLID(ctx, res.JID)
		if err != nil {
			s.Log.Warn("the phone number of a LID could not be read", "instance", instance, "error", err)
		}
		res.Phone = phone
	}
	chat := recipient.ChatOf(res.JID, res.Phone)
	if chat.LID == "" && chat.Person() { // whatsmeow sends to the LID it knows, and people write from their LID
		chat = recipient.ChatOf(res.JID, lidOf(ctx, cli, chat))
	}
	return res.JID, chat
}
