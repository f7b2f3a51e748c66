package send

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/sdk"
)

// resolve finds the account a request is addressed to, and the addresses of its chat.
func (s *Sender) resolve(ctx context.Context, call *sdk.Call, inst *pool.Instance, o *order) (types.JID, recipient.Chat, error) {
	r, err := recipient.Parse(o.number)
	if err != nil { // Check has accepted literal numbers, but not numbers from an expression
		return types.JID{}, recipient.Chat{}, problem.Number(err)
	}
	cli, err := inst.Client()
	if err != nil {
		return types.JID{}, recipient.Chat{}, problem.Disconnected()
	}
	res, err := recipient.Resolve(ctx, r, lookup{s.numbers, inst, cli, s.QueryTime})
	if err != nil {
		return types.JID{}, recipient.Chat{}, resolveProblem(o.what, err)
	}
	if res.Warning != "" {
		o.warn(call, sdk.Warning{Pointer: "/number", Code: res.Warning, Message: res.Message})
	}
	to, chat := s.names(ctx, cli, o.instance, res)
	return to, chat, nil
}

// moved asks WhatsApp again about a number and reports whether it now belongs to another account:
// WhatsApp refuses a message to an address without an account with the same code as a malformed
// message.
func (s *Sender) moved(ctx context.Context, inst *pool.Instance, number string, was recipient.Chat) bool {
	r, err := recipient.Parse(number)
	cli, gone := inst.Client()
	if err != nil || gone != nil {
		return false
	}
	now, err := recipient.Resolve(ctx, r, lookup{s.numbers, inst, cli, s.QueryTime})
	to, bad := was.Addressee()
	return err == nil && bad == nil && now.JID.Server == to.Server && now.JID != to
}

// ownNumber is the warning for a menu that only the instance's own account sees.
var ownNumber = sdk.Warning{
	Pointer: "/number", Code: "own_number",
	Message: "This is the instance's own number: its owner's taps are not clicks, so the buttons would lead nowhere.",
}

func toItself(inst *pool.Instance, to types.JID) bool {
	self := inst.Account()
	return to == self.JID || to == self.LID
}

func resolveProblem(what string, err error) error {
	if errors.Is(err, recipient.ErrNotOnWhatsApp) {
		return problem.Number(&recipient.Error{Detail: err.Error(), Suggestion: "check the number; it needs its country code"})
	}
	p := sendProblem(what, err)
	p.Effect = sdk.EffectNone // only a query was sent
	return p
}

// admit finds the accounts of the people whose clicks a menu accepts, with one query for all of
// them. It returns every address of each person, because a click may come from any of them.
func (s *Sender) admit(ctx context.Context, inst *pool.Instance, o order) ([]string, error) {
	var people []recipient.Recipient
	var candidates []string
	for i, sender := range o.rules.AllowedSenders {
		who, err := recipient.Parse(sender)
		if err != nil { // Check has accepted it
			return nil, notAdmitted(i, "it is not a phone number or JID", "")
		}
		people = append(people, who)
		candidates = append(candidates, who.Candidates()...)
	}
	var answers []recipient.Answer
	if len(candidates) > 0 {
		cli, err := inst.Client()
		if err != nil {
			return nil, problem.Disconnected()
		}
		if answers, err = (lookup{s.numbers, inst, cli, s.QueryTime}).Lookup(ctx, candidates); err != nil {
			return nil, resolveProblem(o.what, err)
		}
	}
	var addresses []string
	for i, who := range people {
		found := recipient.Resolution{JID: who.JID()}
		if who.Kind == recipient.Phone {
			var err error
			if found, err = recipient.Choose(who.Candidates(), answers, who.User); err != nil {
				return nil, notAdmitted(i, err.Error(), "check the number; it needs its country code")
			}
		}
		addresses = append(addresses, found.JID.String())
		if !found.Phone.IsEmpty() && found.Phone != found.JID {
			addresses = append(addresses, found.Phone.String())
		}
	}
	return addresses, nil
}

func notAdmitted(i int, detail, suggestion string) error {
	return problem.Invalid(fmt.Sprintf("/menu/allowedSenders/%d", i), fmt.Sprintf("Menu: AllowedSender %d: %s", i+1, detail), suggestion)
}
