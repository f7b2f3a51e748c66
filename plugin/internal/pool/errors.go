package pool

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"go.mau.fi/whatsmeow"

	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

// Errors that callers tell apart.
var (
	ErrNotConnected = errors.New("instance is not connected to WhatsApp")
	ErrNotPairing   = errors.New("instance is not waiting to be paired")
	ErrPairing      = errors.New("instance is already being paired")
	ErrStopped      = errors.New("another call took the instance offline")
	ErrPairTimeout  = errors.New("nobody paired the instance in time")
	ErrBusy         = errors.New("too many sends wait for this instance")
	ErrClosed       = errors.New("the pool is closed")
	// ErrNoDevice is a message that stayed here because no device of the recipient could
	// have read it.
	ErrNoDevice = errors.New("WhatsApp gave no keys for any device of the recipient")
)

// PairError is a pairing that WhatsApp, the phone or whatsmeow has ended.
type PairError struct{ Err error }

// Error returns the cause, without numbers.
func (e *PairError) Error() string { return "pairing failed: " + redact(e.Err.Error()) }

// Unwrap returns the cause.
func (e *PairError) Unwrap() error { return e.Err }

// SendError is a send that failed, or one of the queries before it. What WhatsApp said
// about the message itself, what it said about a query, and that it said nothing are
// three things: only the first is a verdict on the message.
type SendError struct {
	// Code is the number WhatsApp refused the message with (facts: <ack error=N>);
	// 0 when it did not.
	Code int
	// Query is the number WhatsApp refused a query with, before the message left;
	// 0 when it did not.
	Query int
	// Unknown is true when the message may have reached WhatsApp, which said nothing.
	Unknown bool
	Err     error
}

// Error returns the cause, without numbers: whatsmeow's errors name JIDs.
func (e *SendError) Error() string { return redact(e.Err.Error()) }

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

var ackNumber = regexp.MustCompile(`(\d+)$`)

// Grade reads an error of whatsmeow.Client.SendMessage, or of one of its queries.
// whatsmeow keeps the number of a refusal in the text only. A frame that may have
// left counts as unknown.
func Grade(err error) *SendError {
	e := &SendError{Err: err}
	var query *whatsmeow.IQError
	var store *session.Error
	switch {
	case errors.As(err, &store): // before the message could leave
	case errors.Is(err, whatsmeow.ErrServerReturnedError):
		if m := ackNumber.FindString(err.Error()); m != "" {
			e.Code, _ = strconv.Atoi(m)
		}
	case errors.Is(err, whatsmeow.ErrNotConnected), errors.Is(err, whatsmeow.ErrNotLoggedIn), errors.Is(err, whatsmeow.ErrIQDisconnected):
		e.Err = fmt.Errorf("%w: %w", ErrNotConnected, err)
	case errors.As(err, &query):
		e.Query = query.Code
	case errors.Is(err, whatsmeow.ErrMessageTimedOut),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e.Unknown = true
	default:
		var lost *whatsmeow.DisconnectedError
		e.Unknown = errors.As(err, &lost)
	}
	return e
}
