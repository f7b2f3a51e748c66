package pool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// Stages of a pairing, in the words of whatsapp.instance.connect.progress.json.
const (
	StageQR         = "qr"
	StageCode       = "code"
	StagePasskey    = "passkey"
	StageConfirm    = "confirm"
	StagePaired     = "paired"
	StageConnecting = "connecting"
)

// Prompt is what somebody has to see or do for a pairing to go on.
type Prompt struct {
	Stage     string                   `json:"stage"`
	QR        string                   `json:"qr,omitempty"`
	Code      string                   `json:"code,omitempty"`
	ExpiresAt *time.Time               `json:"expiresAt,omitempty"`
	Passkey   *types.WebAuthnPublicKey `json:"passkey,omitempty"`
}

const (
	// codeLife is how long a pairing code works: as long as the server sends QR
	// codes on the same connection (whatsmeow.Client.PairPhone).
	codeLife = 160 * time.Second
	// serverEnds is how long the server may take to end the pairing's connection.
	serverEnds = 5 * time.Second
	// displayName must look like "Browser (OS)", or the server answers 400.
	displayName = "Chrome (Linux)"
)

// Connect brings the instance online and waits until it is. An instance that is not
// paired is paired first: show hears of every QR code, or of the one pairing code
// when phone (digits with country code) is set.
func (i *Instance) Connect(ctx context.Context, phone string, show func(Prompt)) error {
	if i.cli.Load() == nil {
		err := i.pair(ctx, phone, show)
		if old := (*outdatedError)(nil); errors.As(err, &old) && i.pool.web.renew(ctx, old.presented) {
			err = i.pair(ctx, phone, show)
		}
		if err != nil {
			return err
		}
		show(Prompt{Stage: StagePaired})
	}
	if i.Status().State == Connected {
		return nil
	}
	show(Prompt{Stage: StageConnecting})
	asked := time.Now()
	if err := i.want(ctx, true); err != nil {
		return err
	}
	now, err := i.await(ctx, func(s Status) bool {
		return s.State == Connected || s.Trouble != nil && s.Trouble.At.After(asked) && s.State != Connecting
	})
	if err != nil {
		if now.Trouble != nil {
			return fmt.Errorf("%w: %s", err, now.Trouble.Message)
		}
		return err
	}
	if now.State != Connected {
		return &RefusedError{Status: now}
	}
	return nil
}

// RefusedError is a connection that WhatsApp refused, with its reason.
type RefusedError struct{ Status Status }

// Error returns what is the matter and what to do.
func (e *RefusedError) Error() string { return e.Status.Trouble.Message }

// pair links a new device and leaves its client, disconnected, to the supervisor.
func (i *Instance) pair(ctx context.Context, phone string, show func(Prompt)) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(i.ctx, cancel)()
	line, hangUp := context.WithCancel(context.WithoutCancel(ctx)) // see login
	defer hangUp()
	cli := i.newClient(i.pool.opts.Devices.NewDevice())
	if !i.pairing.CompareAndSwap(nil, cli) {
		return ErrPairing
	}
	before := i.Status()
	defer func() {
		cli.Disconnect()
		i.pairing.Store(nil)
		if err != nil {
			i.set(before.State, before.Trouble)
		}
	}()
	cli.PrePairCallback = func(jid types.JID, _, _ string) bool {
		// Recorded before whatsmeow stores the keys: a crash in between leaves an
		// instance that is logged out, never keys that nobody owns.
		if err := i.pool.opts.Registry.SetDevice(ctx, i.name, jid.String(), ""); err != nil {
			i.log.Error("the pairing could not be stored", "error", err)
			return false
		}
		return true
	}
	ended := make(chan struct{})
	end := sync.OnceFunc(func() { close(ended) })
	cli.AddEventHandler(func(evt any) {
		switch evt.(type) {
		case *events.ManualLoginReconnect, *events.Disconnected:
			end()
		}
	})
	codes, err := cli.GetQRChannel(ctx)
	if err != nil {
		return err
	}
	presented := i.pool.web.current()
	dialling := context.AfterFunc(ctx, hangUp)
	err = cli.ConnectContext(line)
	dialling()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotConnected, err)
	}
	i.set(Pairing, nil)
	coded, asked := false, false
	for item := range codes {
		switch item.Event {
		case whatsmeow.QRChannelEventCode:
			switch {
			case asked: // whatsmeow goes on with codes whose secret is no longer valid
			case phone == "":
				until := time.Now().Add(item.Timeout)
				show(Prompt{Stage: StageQR, QR: item.Code, ExpiresAt: &until})
			case !coded:
				coded = true
				code, err := cli.PairPhone(ctx, phone, true, whatsmeow.PairClientChrome, displayName)
				if err != nil {
					return &PairError{fmt.Errorf("ask for a pairing code: %w", err)}
				}
				until := time.Now().Add(codeLife)
				show(Prompt{Stage: StageCode, Code: code, ExpiresAt: &until})
			}
		case whatsmeow.QRChannelEventPasskeyRequest:
			asked = true
			show(Prompt{Stage: StagePasskey, Passkey: item.PasskeyRequest.PublicKey})
		case whatsmeow.QRChannelEventPasskeyResponse:
			show(Prompt{Stage: StageConfirm, Code: item.PasskeyConfirmation.Code})
		case whatsmeow.QRChannelSuccess.Event:
			return i.adopt(ctx, cli, ended)
		case whatsmeow.QRChannelTimeout.Event:
			return ErrPairTimeout
		case whatsmeow.QRChannelClientOutdated.Event:
			return &outdatedError{presented}
		case whatsmeow.QRChannelEventError:
			return &PairError{item.Error}
		case whatsmeow.QRChannelScannedWithoutMultidevice.Event:
			i.log.Warn("the phone scanned the code but has linked devices switched off")
		default:
			return &PairError{errors.New(item.Event)}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return ErrPairTimeout
}

// adopt makes a freshly paired client the instance's own. The server now ends the
// connection (stream error 515) and expects a login on a new one. Whether it does so
// in time is of no interest: the supervisor dials anew anyway.
func (i *Instance) adopt(ctx context.Context, cli *whatsmeow.Client, ended <-chan struct{}) error {
	t := time.NewTimer(serverEnds)
	defer t.Stop()
	select {
	case <-ended:
	case <-t.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	cli.Disconnect()
	i.cli.Store(cli)
	return nil
}

// Disconnect takes the instance offline and keeps it paired.
func (i *Instance) Disconnect(ctx context.Context) error {
	if err := i.want(ctx, false); err != nil {
		return err
	}
	_, err := i.await(ctx, func(s Status) bool { return s.State != Connected && s.State != Connecting })
	return err
}

// Logout unpairs the instance. When WhatsApp cannot be asked, the session is dropped
// here all the same; the phone then still lists the device.
func (i *Instance) Logout(ctx context.Context) error {
	cli := i.cli.Load()
	if cli == nil {
		return nil
	}
	if cli.IsLoggedIn() {
		if err := unlink(ctx, cli); err != nil {
			i.log.Warn("WhatsApp did not confirm the logout; remove the device on the phone", "error", redact(err.Error()))
		}
	}
	if err := i.Disconnect(ctx); err != nil {
		return err
	}
	if i.cli.Load() == nil { // the server's word came first, and whatsmeow has deleted the session
		return nil
	}
	if err := i.pool.opts.Registry.SetDevice(ctx, i.name, "", ""); err != nil {
		return err
	}
	i.cli.Store(nil)
	if err := cli.Store.Container.DeleteDevice(ctx, cli.Store); !errors.Is(err, errDeleted) {
		return fmt.Errorf("delete the session: %w", err)
	}
	i.remember(ctx, LoggedOut, nil)
	i.set(LoggedOut, nil)
	return nil
}

// unlink takes this device off the account. It is the query of Client.Logout, which
// would also empty the device under handlers that are still at work.
func unlink(ctx context.Context, cli *whatsmeow.Client) error {
	_, err := cli.DangerousInternals().SendIQ(ctx, whatsmeow.DangerousInfoQuery{
		Namespace: "md", Type: "set", To: types.ServerJID,
		Content: []waBinary.Node{{
			Tag:   "remove-companion-device",
			Attrs: waBinary.Attrs{"jid": cli.Store.GetJID(), "reason": "user_initiated"},
		}},
	})
	return err
}

// Errors of answers to a passkey step. The pairing goes on after both.
var (
	ErrPasskeyRefused = errors.New("WhatsApp refused the passkey's answer")
	ErrNotAsked       = errors.New("the pairing does not ask for this")
)

// Passkey hands the browser's answer to a passkey step to the pairing that waits
// for it. The error is ErrNotPairing, ErrPasskeyRefused or ErrNotAsked, or about the
// connection; after each of them the same step can be answered again.
func (i *Instance) Passkey(ctx context.Context, answer *types.WebAuthnResponse) error {
	cli := i.pairing.Load()
	if cli == nil {
		return ErrNotPairing
	}
	return passkeyError(cli.SendPasskeyResponse(ctx, answer))
}

// ConfirmPasskey says that the code of a confirm step is the one on the phone. The
// errors are those of Passkey.
func (i *Instance) ConfirmPasskey(ctx context.Context) error {
	cli := i.pairing.Load()
	if cli == nil {
		return ErrNotPairing
	}
	return passkeyError(cli.SendPasskeyConfirmation(ctx))
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
