package pool

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

// Errors of answers to a passkey step. The pairing continues after either.
var (
	ErrPasskeyRefused = errors.New("WhatsApp refused the passkey's answer")
	ErrNotAsked       = errors.New("the pairing does not ask for this")
)

// Passkey passes the browser's answer to the pairing that waits for a passkey step. The error is
// ErrNotPairing, ErrPasskeyRefused, ErrNotAsked or a connection error; after each of them the same
// step can be answered again.
func (i *Instance) Passkey(ctx context.Context, answer *types.WebAuthnResponse) error {
	p := i.pairing.Load()
	if p == nil {
		return ErrNotPairing
	}
	return passkeyError(p.cli.SendPasskeyResponse(ctx, answer))
}

// ConfirmPasskey confirms that the code of a confirm step matches the one on the phone. Its errors
// are those of Passkey.
func (i *Instance) ConfirmPasskey(ctx context.Context) error {
	p := i.pairing.Load()
	if p == nil {
		return ErrNotPairing
	}
	return passkeyError(p.cli.SendPasskeyConfirmation(ctx))
}

// passkeyError classifies whatsmeow's errors: refusals and connection errors have types of their
// own, and the rest mean that the pairing has not reached this step.
func passkeyError(err error) error {
	var refused *whatsmeow.IQError
	var lost *whatsmeow.DisconnectedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return fmt.Errorf("%w: %w", ErrPasskeyRefused, err)
	case errors.As(err, &lost), errors.Is(err, whatsmeow.ErrNotConnected), errors.Is(err, whatsmeow.ErrIQDisconnected):
		return fmt.Errorf("%w: %w", ErrNotConnected, err)
	case errors.Is(err, whatsmeow.ErrIQTimedOut):
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotAsked, err)
}
