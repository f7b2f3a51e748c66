package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/sdk"
)

// Codes of problems that callers branch on. The seed's table names the last three
// and the sentences that go with them.
const (
	codeNotFound     = "not_found"
	codeExists       = "instance_exists"
	codeStaleEpoch   = "stale_epoch"
	codeInFlight     = "in_flight"
	codeMismatch     = "idempotency_mismatch"
	codeBusy         = "busy"
	codePairing      = "pairing_failed"
	codeStorage      = "storage_failed"
	codeDisconnected = "disconnected"
	codeSendFailed   = "send_failed"
	codeInvalid      = "invalid_request"
)

// problem is a failure without effect.
func problem(status int, code string, fault sdk.Fault, message string) *sdk.Problem {
	return &sdk.Problem{Code: code, HTTPStatus: status, Message: message, Effect: sdk.EffectNone, Fault: fault}
}

func retryable(p *sdk.Problem, after time.Duration) *sdk.Problem {
	p.Retryable, p.RetryAfter = true, after
	return p
}

func disconnected() *sdk.Problem {
	return retryable(problem(http.StatusServiceUnavailable, codeDisconnected, sdk.FaultCaller,
		"Instance is not connected to WhatsApp"), 5*time.Second)
}

// invalid is a request that only the service could find fault with.
func invalid(pointer, message, suggestion string) *sdk.Problem {
	return sdk.Invalid(sdk.Violation{Pointer: pointer, Code: codeInvalid, Message: message, Suggestion: suggestion})
}

// poolProblem says what an error of the pool or the store means to a caller.
func poolProblem(err error) error {
	var refused *pool.RefusedError
	switch {
	case errors.Is(err, store.ErrNotFound):
		return problem(http.StatusNotFound, codeNotFound, sdk.FaultCaller, "Instance not found")
	case errors.Is(err, store.ErrExists):
		return problem(http.StatusConflict, codeExists, sdk.FaultCaller, "Instance already exists")
	case errors.Is(err, store.ErrLimit):
		return problem(http.StatusTooManyRequests, "limit_reached", sdk.FaultCaller, err.Error())
	case errors.Is(err, store.ErrLeaseLost):
		return problem(http.StatusConflict, codeStaleEpoch, sdk.FaultCaller, "A newer lease owns the instance; ask its owner")
	case errors.As(err, &refused):
		p := problem(http.StatusBadGateway, refused.Status.Trouble.Code, sdk.FaultDownstream, refused.Error())
		if until := refused.Status.Trouble.Until; !until.IsZero() {
			return retryable(p, time.Until(until))
		}
		return p
	case errors.Is(err, pool.ErrPairTimeout):
		return retryable(problem(http.StatusRequestTimeout, "pairing_timeout", sdk.FaultCaller, "Nobody paired the instance in time; connect it again for new codes"), 0)
	case errors.Is(err, pool.ErrPairing):
		return problem(http.StatusConflict, "pairing", sdk.FaultCaller, "The instance is already being paired")
	case errors.Is(err, pool.ErrNotPairing):
		return problem(http.StatusConflict, "not_pairing", sdk.FaultCaller, "The instance is not waiting to be paired; connect it first")
	case errors.Is(err, pool.ErrNotConnected):
		return disconnected()
	case errors.Is(err, pool.ErrBusy):
		return retryable(problem(http.StatusTooManyRequests, codeBusy, sdk.FaultCaller, "Too many messages wait for this instance"), 5*time.Second)
	case errors.Is(err, context.DeadlineExceeded):
		p := retryable(problem(http.StatusGatewayTimeout, "timeout", sdk.FaultDownstream, "The time limit passed: "+err.Error()), 0)
		p.Effect = sdk.EffectUnknown
		return p
	}
	return err
}

// storeProblem is a failure of our own database.
func storeProblem(err error) error {
	p := problem(http.StatusInternalServerError, codeStorage, sdk.FaultNode, "The node's database failed: "+err.Error())
	p.Err = err
	return retryable(p, time.Second)
}

// refusal is what the number in a message acknowledgement means (facts/wire.md §6.1).
type refusal struct {
	code   string // of the problem in events; callers of a send see send_failed
	reason string
	next   string        // what to do
	retry  time.Duration // 0: not with the same message
	fault  sdk.Fault
}

func (r refusal) String() string { return r.reason + "; " + r.next }

const (
	ackNewChatsLocked = 463
	ackNewChatsCapped = 475
)

var refusals = map[int]refusal{
	405: {code: "shape_refused", reason: "WhatsApp does not take this shape of message (405)",
		next: "set fallback to text", fault: sdk.FaultDownstream},
	421: {code: "group_changed", reason: "the group's addressing changed (421)",
		next: "repeat the call", retry: time.Second, fault: sdk.FaultDownstream},
	429: {code: "slow_down", reason: "WhatsApp asks to slow down (429)",
		next: "wait some minutes and repeat the call; lower pacing.perMinute", retry: 5 * time.Minute, fault: sdk.FaultCaller},
	ackNewChatsLocked: {code: "new_chats_locked", reason: "the account may not open new chats now (463)",
		next: "answer people who wrote first, and do not repeat this", fault: sdk.FaultCaller},
	473: {code: "shape_refused", reason: "WhatsApp refused the buttons (473)",
		next: "set fallback to text", fault: sdk.FaultDownstream},
	ackNewChatsCapped: {code: "new_chats_capped", reason: "the account's monthly quota of new chats is used up (475)",
		next: "answer people who wrote first; new chats work again next month", fault: sdk.FaultCaller},
	479: {code: "shape_refused", reason: "WhatsApp did not understand the message (479)",
		next: "set fallback to text", fault: sdk.FaultDownstream},
}

// refusesButtons reports whether the number speaks of the message's shape, so that
// the same words as plain text may still pass.
func refusesButtons(code int) bool { return code == 405 || code == 473 || code == 479 }

// sendProblem is a message that did not go out, or may not have. what is "buttons"
// or "text", as in the seed's sentence.
func sendProblem(what string, err error) *sdk.Problem {
	p := problem(http.StatusInternalServerError, codeSendFailed, sdk.FaultDownstream, "")
	p.Err = err
	var failed *pool.SendError
	if !errors.As(err, &failed) {
		if mapped, ok := errors.AsType[*sdk.Problem](poolProblem(err)); ok {
			return mapped
		}
		failed = pool.Grade(err)
	}
	reason := failed.Error()
	switch r, known := refusals[failed.Code]; {
	case known:
		reason, p.Fault = r.String(), r.fault
		p.Retryable, p.RetryAfter = r.retry > 0, r.retry
	case errors.Is(failed.Err, pool.ErrNotConnected):
		return disconnected()
	case failed.Unknown:
		reason = "WhatsApp did not answer in time; repeat the call with the same idempotency key"
		p.Effect = sdk.EffectUnknown
		p.Retryable, p.RetryAfter = true, time.Second
	case failed.Code == 0:
		p.Retryable, p.RetryAfter = true, time.Second
	}
	p.Message = fmt.Sprintf("Failed to send %s message: %s", what, reason)
	return p
}
