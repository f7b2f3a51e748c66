package node

import (
	"context"
	"fmt"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
)

// admit finds the accounts of the people whose clicks a menu takes, with one question
// for all of them. It gives every address they are known under, because a click comes
// from any.
func (p *process) admit(ctx context.Context, inst *pool.Instance, d delivery) ([]string, error) {
	var people []recipient.Recipient
	var candidates []string
	for i, sender := range d.rules.AllowedSenders {
		who, err := recipient.Parse(sender)
		if err != nil { // Check has let it through
			return nil, notAdmitted(i, "it is not a phone number or JID", "")
		}
		people = append(people, who)
		candidates = append(candidates, who.Candidates()...)
	}
	var answers []recipient.Answer
	if len(candidates) > 0 {
		cli, err := inst.Client()
		if err != nil {
			return nil, disconnected()
		}
		if answers, err = (lookup{p.numbers, cli, p.settings.Timeouts.Query.duration()}).Lookup(ctx, candidates); err != nil {
			return nil, resolveProblem(d.what, err)
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
	return invalid(fmt.Sprintf("/menu/allowedSenders/%d", i), fmt.Sprintf("Menu: AllowedSender %d: %s", i+1, detail), suggestion)
}
