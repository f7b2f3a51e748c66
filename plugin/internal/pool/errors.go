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

// Errors that callers distinguish.
var (
	ErrNotConnected = errors.New("instance is not connected to WhatsApp")
	ErrNotPairing   = errors.New("instance is not waiting to be paired")
	ErrPairing      = errors.New("instance is already being paired")
	ErrStopped      = errors.New("another call took the instance offline")
	ErrPairTimeout  = errors.New("nobody paired the instance in time")
	ErrBusy         = errors.New("too many sends wait for this instance")
	ErrClosed       = errors.New("the pool is closed")
	// ErrNoDevice means that a message was not sent because no device of the recipient could have
	// read it.
	ErrNoDevice = errors.New("WhatsApp gave no keys for any device of the recipient")
)

// PairError means that WhatsApp, the phone or whatsmeow ended the pairing.
type PairError struct{ Err error }

// Error returns the cause, without numbers.
func (e *PairError) Error() string { return "pairing failed: " + redact(e.Err.Error()) }

// Unwrap returns the cause.
func (e *PairError) Unwrap() error { return e.Err }

// SendError is a failed send, or a failed query before it. WhatsApp may have refused the message
// itself, refused a query, or given no answer; only the first is a verdict on the message.
type SendError struct {
	// Code is the code with which WhatsApp refused the message (facts: <ack error=N>); 0 if it did
	// not.
	Code int
	// Query is the code with which WhatsApp refused a query before the message left; 0 if it did
	// not.
	Query int
	// Unknown is true when the message may have reached WhatsApp, but no answer came.
	Unknown bool
	Err     error
}

// Error returns the cause, without numbers: whatsmeow's errors name JIDs.
func (e *SendError) Error() string { return redact(e.Err.Error()) }

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

var ackNumber = regexp.MustCompile(`(\d+)$`)

// Grade classifies an error of whatsmeow.Client.SendMessage or of one of its queries. whatsmeow
// keeps the code of a refusal only in the error text. A frame that may have left counts as unknown.
func Grade(err error) *SendError {
	e := &SendError{Err: err}
	var query *whatsmeow.IQError
	var store *session.Error
	switch {
	case errors.As(err, &store): // the message could not have left yet
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
