package send

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/sdk"

	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

// Refusal is the meaning of the code in a message acknowledgement (facts/wire.md §6.1).
type Refusal struct {
	Code   string // the problem's code in events; callers of a send see send_failed
	Reason string
	Next   string        // what to do
	Retry  time.Duration // 0: not with the same message
	Fault  sdk.Fault
}

// String returns the reason and what to do.
func (r Refusal) String() string { return r.Reason + "; " + r.Next }

const (
	ackNewChatsLocked = 463
	ackNewChatsCapped = 475
	ackNotUnderstood  = 479 // bad shape, or no account at that address
)

// Refusals are the codes that mean something to a caller.
var Refusals = map[int]Refusal{
	405: {Code: "shape_refused", Reason: "WhatsApp does not take this shape of message (405)",
		Next: "set fallback to text", Fault: sdk.FaultDownstream},
	421: {Code: "group_changed", Reason: "the group's addressing changed (421)",
		Next: "repeat the call", Retry: time.Second, Fault: sdk.FaultDownstream},
	429: {Code: "slow_down", Reason: "WhatsApp asks to slow down (429)",
		Next: "wait some minutes and repeat the call; lower pacing.perMinute", Retry: 5 * time.Minute, Fault: sdk.FaultCaller},
	ackNewChatsLocked: {Code: "new_chats_locked", Reason: "the account may not open new chats now (463)",
		Next: "answer people who wrote first, and do not repeat this", Fault: sdk.FaultCaller},
	473: {Code: "shape_refused", Reason: "WhatsApp refused the buttons (473)",
		Next: "set fallback to text", Fault: sdk.FaultDownstream},
	ackNewChatsCapped: {Code: "new_chats_capped", Reason: "the account's monthly quota of new chats is used up (475)",
		Next: "answer people who wrote first; new chats work again next month", Fault: sdk.FaultCaller},
	ackNotUnderstood: {Code: "shape_refused", Reason: "WhatsApp did not understand the message (479)",
		Next: "set fallback to text", Fault: sdk.FaultDownstream},
}

// refusesButtons reports whether the code refuses the message's shape, so that the same content as
// plain text may still be accepted.
func refusesButtons(code int) bool { return code == 405 || code == 473 || code == ackNotUnderstood }

// sendProblem is the problem of a message that was not sent, or may not have been. It is the only
// place that translates WhatsApp's errors for callers. what is "buttons" or "text", as in the
// seed's sentence.
func sendProblem(what string, err error) *sdk.Problem {
	p := problem.New(http.StatusInternalServerError, "send_failed", sdk.FaultDownstream, "")
	p.Err = err
	var failed *pool.SendError
	if !errors.As(err, &failed) {
		if mapped, ok := errors.AsType[*sdk.Problem](problem.Of(err)); ok {
			return mapped
		}
		failed = pool.Grade(err)
	}
	if store, ok := errors.AsType[*session.Error](failed.Err); ok {
		return problem.Storage(store)
	}
	reason := failed.Error()
	switch {
	case sqldb.Failed(err): // not failed.Error(): whatsmeow's text repeats the database's
		reason, p.Fault = "the node's database failed: "+sqldb.Reason(err), sdk.FaultNode
		p.Retryable, p.RetryAfter = true, time.Second
	case failed.Code != 0: // WhatsApp refused the message
		if r, known := Refusals[failed.Code]; known {
			reason, p.Fault = r.String(), r.Fault
			p.Retryable, p.RetryAfter = r.Retry > 0, r.Retry
		}
	case errors.Is(failed.Err, pool.ErrNotConnected):
		return problem.Disconnected()
	case failed.Query != 0: // WhatsApp refused a query before the message left
		reason = fmt.Sprintf("WhatsApp refused a query before the message (%d); nothing was sent: %s", failed.Query, reason)
		p.Retryable = momentary(failed.Query)
		if p.Retryable {
			p.RetryAfter = 2 * time.Second
		}
		if failed.Query == tooManyQueries {
			p.RetryAfter, p.Fault = Refusals[tooManyQueries].Retry, sdk.FaultCaller
		}
	case failed.Unknown:
		reason = "WhatsApp did not answer in time; repeat the call with the same idempotency key"
		p.Effect = sdk.EffectUnknown
		p.Retryable, p.RetryAfter = true, time.Second
	default: // it never left
		p.Retryable, p.RetryAfter = true, time.Second
	}
	p.Message = fmt.Sprintf("Failed to send %s message: %s", what, reason)
	return p
}

const tooManyQueries = 429

// momentary reports whether the code of a refused query is about WhatsApp's state and not about the
// content of the query.
func momentary(code int) bool {
	return code >= 500 || code == http.StatusRequestTimeout || code == tooManyQueries
}
