package pool

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

// Errors of answers to a passkey step. The pairing goes on after both.
var (
	ErrPasskeyRefused = errors.New("WhatsApp refused the passkey's answer")
	ErrNotAsked       = errors.New("the pairing does not ask for this")
)

// Passkey hands the browser's answer to a passkey step to the pairing that waits
// for it. The error is ErrNotPairing, ErrPasskeyRefused or ErrNotAsked, or about the
// connection; after each of them the same step can be answered again.
func (i *Instance) Passkey(ctx context.Context, answer *types.WebAuthnResponse) error {
	p := i.pairing.Load()
	if p == nil {
		return ErrNotPairing
	}
	return passkeyError(p.cli.SendPasskeyResponse(ctx, answer))
}

// ConfirmPasskey says that the code of a confirm step is the one on the phone. The
// errors are those of Passkey.
func (i *Instance) ConfirmPasskey(ctx context.Context) error {
	p := i.pairing.Load()
	if p == nil {
		return ErrNotPairing
	}
	return passkeyError(p.cli.SendPasskeyConfirmation(ctx))
}

// passkeyError sorts what whatsmeow says: refusals have a type, the line's errors
// too, and what is left is its complaint that the pairing is not that far.
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
