package client

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tapnode/tapnode/sdk"
)

// ErrSuperseded is wrapped by the error of a subscription that a newer stream of the same
// subscriber has ended. Do not reopen it: two streams would keep ending each other.
var ErrSuperseded = errors.New("another stream of this subscriber took over")

// TransportError says that a call got no answer from the operation because of the connection, the
// deadline or a breach of the contract.
type TransportError struct {
	Op   string     // the call, e.g. "execute"
	Code codes.Code // the gRPC code
	Err  error      // the status, or what was wrong with the stream
}

// Error returns the call and the reason.
func (e *TransportError) Error() string {
	if s, ok := status.FromError(e.Err); ok {
		return fmt.Sprintf("%s: %s (%s)", e.Op, s.Message(), e.Code)
	}
	return fmt.Sprintf("%s: %v (%s)", e.Op, e.Err, e.Code)
}

// Unwrap returns the cause.
func (e *TransportError) Unwrap() error { return e.Err }

// Effect says what is known about the call's effect. A node refuses a broken request, an unknown
// operation and a process without configuration before anything runs: NONE. After any other failure
// the call may have acted: UNKNOWN. That includes Unavailable, which can mean a draining node or a
// connection lost in the middle. Repeat the call only as its replay class allows.
func (e *TransportError) Effect() sdk.Effect {
	switch e.Code {
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.Unimplemented:
		return sdk.EffectNone
	default:
		return sdk.EffectUnknown
	}
}

func transport(op string, err error) error {
	return &TransportError{Op: op, Code: status.Code(err), Err: err}
}

// broken returns the error for a stream that breaks the contract.
func broken(op, how string) error {
	return &TransportError{Op: op, Code: codes.Internal, Err: errors.New("the node broke the contract: " + how)}
}
