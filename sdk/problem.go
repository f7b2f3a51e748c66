package sdk

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"
)

// Effect says what is known about the outside effect of a call that failed.
type Effect string

// The effects of flownode.v1.
const (
	EffectNone    Effect = "NONE"    // nothing happened
	EffectUnknown Effect = "UNKNOWN" // it may have happened
	EffectDone    Effect = "DONE"    // it happened
)

// Fault says who has to act.
type Fault string

// The faults of flownode.v1.
const (
	FaultCaller     Fault = "CALLER"     // the input or the caller's account
	FaultDownstream Fault = "DOWNSTREAM" // the service behind the node
	FaultNode       Fault = "NODE"       // the node itself
)

// Problem describes a call that failed, as the contract's Failed message does. An operation returns
// one to be precise; any other error becomes a Problem with code "internal", fault NODE and effect
// UNKNOWN.
type Problem struct {
	Code       string        `json:"code"`       // stable, snake_case
	HTTPStatus int           `json:"httpStatus"` // 400 to 599
	Message    string        `json:"message"`    // what went wrong and what to do
	Effect     Effect        `json:"effect"`
	Retryable  bool          `json:"retryable"`            // the same call can work later
	RetryAfter time.Duration `json:"retryAfter,omitempty"` // when, if known; nanoseconds
	Fault      Fault         `json:"fault"`
	Violations []Violation   `json:"violations,omitempty"`
	Err        error         `json:"-"` // cause, for the node's own log
}

// Error returns the message. A nil *Problem returned as an error is not a nil error, a known trap
// of Go; its message says so.
func (p *Problem) Error() string {
	if p == nil {
		return "a nil *sdk.Problem was returned as an error"
	}
	return p.Message
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error {
	if p == nil {
		return nil
	}
	return p.Err
}

// Violation is one thing wrong with an input.
type Violation struct {
	Pointer    string `json:"pointer"` // RFC 6901; "" is the whole document
	Code       string `json:"code"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion,omitempty"`
}

// Warning is about something that works but may surprise.
type Warning struct {
	Pointer string `json:"pointer,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Invalid returns the Problem of an input with violations: the caller's fault, without effect, not
// retryable. Its code and message are those of the first violation.
func Invalid(violations ...Violation) *Problem {
	p := &Problem{
		Code: "invalid_request", HTTPStatus: http.StatusBadRequest, Message: "the request is invalid",
		Effect: EffectNone, Fault: FaultCaller, Violations: violations,
	}
	if len(violations) > 0 {
		p.Code, p.Message = violations[0].Code, violations[0].Message
	}
	return p
}

// codeCancelled is the contract's name for a call that was cut.
const codeCancelled = "cancelled"

// problemOf turns any error into a complete Problem. The author's value is not changed.
func problemOf(err error) *Problem {
	own, ok := errors.AsType[*Problem](err)
	if !ok || own == nil {
		own = &Problem{Message: err.Error(), Err: err}
	}
	p := *own
	p.Code = cmp.Or(p.Code, "internal")
	p.Effect = cmp.Or(p.Effect, EffectUnknown)
	p.Fault = cmp.Or(p.Fault, FaultNode)
	if p.HTTPStatus < 400 || p.HTTPStatus > 599 {
		p.HTTPStatus = map[Fault]int{
			FaultCaller: http.StatusBadRequest, FaultDownstream: http.StatusBadGateway, FaultNode: http.StatusInternalServerError,
		}[p.Fault]
	}
	return &p
}

// cancelled is the Problem of a call whose context ended while it ran.
func cancelled(ctx context.Context) *Problem {
	p := &Problem{
		Code: codeCancelled, HTTPStatus: 499, Message: "the call was cancelled while it ran",
		Effect: EffectUnknown, Fault: FaultCaller,
	}
	switch {
	case errors.Is(context.Cause(ctx), errCut):
		p.HTTPStatus, p.Message = http.StatusServiceUnavailable, "the node stopped before the call was done"
		p.Fault, p.Retryable = FaultNode, true
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		p.Code, p.HTTPStatus, p.Message = "deadline_exceeded", http.StatusGatewayTimeout, "the call did not end in time"
	}
	return p
}
