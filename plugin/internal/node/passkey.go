package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/sdk"

	"github.com/tapnode/tapnode/plugin/internal/problem"
)

type passkeyInput struct {
	Instance string                  `json:"instance"`
	Confirm  bool                    `json:"confirm"`
	Response *types.WebAuthnResponse `json:"response"`
}

// answerPasskey passes a running connect the passkey answer or confirmation that it is waiting for.
// docs/passkey.md shows how the answer is made.
func (n *node) answerPasskey(ctx context.Context, call *sdk.Call, in passkeyInput) (oneInstance, error) {
	p := n.process.Load()
	i, err := p.pool.Under(ctx, in.Instance, call.LeaseEpoch)
	if err != nil {
		return oneInstance{}, problem.Of(err)
	}
	ctx, cancel := context.WithTimeout(ctx, p.settings.Timeouts.Query.duration())
	defer cancel()
	switch {
	case in.Response != nil:
		err = i.Passkey(ctx, in.Response)
	case in.Confirm:
		err = i.ConfirmPasskey(ctx)
	default:
		return oneInstance{}, sdk.Invalid(sdk.Violation{Code: "passkey_required", Message: "Response or confirm is required",
			Suggestion: "give the browser's answer, or confirm the code"})
	}
	if err != nil {
		return oneInstance{}, pairProblem(err)
	}
	return oneInstance{n.process.Load().describe(i)}, nil
}

// pairProblem turns a pairing error into a problem for the caller.
func pairProblem(err error) error {
	var refused *whatsmeow.IQError
	var failed *pool.PairError
	switch {
	case errors.Is(err, pool.ErrPasskeyRefused) && errors.As(err, &refused):
		p := problem.New(http.StatusUnprocessableEntity, "passkey_refused", sdk.FaultCaller, fmt.Sprintf("WhatsApp refused the passkey's answer (%d %s); ", refused.Code, refused.Text)+
			"answer the newest request of this pairing, with a passkey of the account that scanned the code")
		p.Err = err
		return p
	case errors.Is(err, pool.ErrNotAsked):
		return problem.New(http.StatusConflict, "passkey_not_asked", sdk.FaultCaller,
			"The pairing does not wait for this; a response follows a passkey step, a confirmation a confirm step")
	case errors.As(err, &failed):
		p := problem.Retryable(problem.New(http.StatusBadGateway, "pairing_failed", sdk.FaultDownstream, failed.Error()+"; connect the instance again"), 0)
		p.Err = err
		return p
	}
	return problem.Of(err)
}
