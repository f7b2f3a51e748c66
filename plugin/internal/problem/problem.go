// Package problem translates errors of the pool and the store for callers of the node: a code, a
// status, who is at fault, what is known of the effect, and what to do.
package problem

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
	"github.com/tapnode/tapnode/sdk"
)

// CodeInvalid is the code of a request whose fault only the service could detect.
const CodeInvalid = "invalid_request"

// codeStale is the code of a call for an instance that belongs to another process.
const codeStale = "stale_epoch"

// New returns a problem for a failure without effect.
func New(status int, code string, fault sdk.Fault, message string) *sdk.Problem {
	return &sdk.Problem{Code: code, HTTPStatus: status, Message: message, Effect: sdk.EffectNone, Fault: fault}
}

// Retryable marks the problem as retryable after a delay.
func Retryable(p *sdk.Problem, after time.Duration) *sdk.Problem {
	p.Retryable, p.RetryAfter = true, after
	return p
}

// Disconnected returns the problem of an instance that is not online.
func Disconnected() *sdk.Problem {
	return Retryable(New(http.StatusServiceUnavailable, "disconnected", sdk.FaultCaller,
		"Instance is not connected to WhatsApp"), 5*time.Second)
}

// Invalid returns the problem of a request whose fault only the service could detect.
func Invalid(pointer, message, suggestion string) *sdk.Problem {
	return sdk.Invalid(sdk.Violation{Pointer: pointer, Code: CodeInvalid, Message: message, Suggestion: suggestion})
}

// Of returns the problem that an error of the pool or the store means for a caller.
func Of(err error) error {
	var refused *pool.RefusedError
	switch {
	case errors.Is(err, sqldb.ErrNotFound):
		return New(http.StatusNotFound, "not_found", sdk.FaultCaller, "Instance not found")
	case errors.Is(err, sqldb.ErrExists):
		return New(http.StatusConflict, "instance_exists", sdk.FaultCaller, "Instance already exists")
	case errors.Is(err, sqldb.ErrLimit):
		return New(http.StatusTooManyRequests, "limit_reached", sdk.FaultCaller, err.Error())
	case errors.Is(err, pool.ErrUnclaimed):
		return Retryable(New(http.StatusConflict, codeStale, sdk.FaultCaller,
			"The instance is leased, and this process has not claimed it; ask its owner, or repeat the call when it is claimed"), time.Second)
	case errors.Is(err, registry.ErrLeaseLost):
		return New(http.StatusConflict, codeStale, sdk.FaultCaller, "A newer lease owns the instance; ask its owner")
	case errors.As(err, &refused):
		p := New(http.StatusBadGateway, refused.Status.Trouble.Code, sdk.FaultDownstream, refused.Error())
		p.Err = err
		if refused.Retry > 0 {
			return Retryable(p, refused.Retry)
		}
		return p
	case errors.Is(err, pool.ErrStopped):
		return New(http.StatusConflict, "stopped", sdk.FaultCaller, "Another call took the instance offline; connect it again if it is still wanted")
	case errors.Is(err, pool.ErrPairTimeout):
		return Retryable(New(http.StatusRequestTimeout, "pairing_timeout", sdk.FaultCaller, "Nobody paired the instance in time; connect it again for new codes"), 0)
	case errors.Is(err, pool.ErrPairing):
		return New(http.StatusConflict, "pairing", sdk.FaultCaller, "The instance is already being paired")
	case errors.Is(err, pool.ErrNotPairing):
		return New(http.StatusConflict, "not_pairing", sdk.FaultCaller, "The instance is not waiting to be paired; connect it first")
	case errors.Is(err, pool.ErrNotConnected):
		return Disconnected()
	case errors.Is(err, pool.ErrBusy):
		return Retryable(New(http.StatusTooManyRequests, "busy", sdk.FaultCaller, "Too many messages wait for this instance"), 5*time.Second)
	case errors.Is(err, context.DeadlineExceeded):
		p := Retryable(New(http.StatusGatewayTimeout, "timeout", sdk.FaultDownstream, "The time limit passed before WhatsApp or the database had answered"), 0)
		p.Effect, p.Err = sdk.EffectUnknown, err
		return p
	}
	if sqldb.Failed(err) {
		return Storage(err)
	}
	return err
}

// Storage returns the problem of a failure of our own database. It tells the caller what to do; the
// error's own text names files, users and hosts, so it is only for the log.
func Storage(err error) *sdk.Problem {
	p := New(http.StatusInternalServerError, "storage_failed", sdk.FaultNode, "The node's database failed: "+sqldb.Reason(err))
	p.Err = err
	return Retryable(p, time.Second)
}

// Number returns the problem of a number or JID that is no valid destination.
func Number(err error) *sdk.Problem {
	v := sdk.Violation{Pointer: "/number", Code: recipient.CodeInvalidNumber, Message: err.Error()}
	var bad *recipient.Error
	if errors.As(err, &bad) {
		v.Suggestion = bad.Suggestion
	}
	return sdk.Invalid(v)
}
