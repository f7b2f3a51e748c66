package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// soon is the longest delay before the next attempt for which Connect keeps waiting instead of
// returning the reason of the last failure.
const soon = 5 * time.Second

// Connect brings the instance online and waits until it is. An instance that is not paired is
// paired first: show is called for every step, such as each QR code, or the one pairing code when
// phone (digits with country code) is set. If the caller leaves, the pairing ends, unless the phone
// has agreed; from then on the instance comes online without the caller.
//
// The error is a *RefusedError when a reason is known, although attempts may continue.
func (i *Instance) Connect(ctx context.Context, phone string, show func(Prompt)) error {
	before := i.Status().Trouble // a later one is an outcome of this call
	unpaired := i.cli.Load() == nil
	if unpaired {
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
	if !unpaired { // a pairing has already set this, and another call may have stopped the instance since
		if err := i.want(ctx, true); err != nil {
			return err
		}
	}
	now, err := i.await(ctx, func(s Status) bool {
		t := s.Trouble
		return s.State == Connected || s.State != Connecting && !i.wanted() ||
			t != nil && t != before && (s.State != Connecting || t.Until.Sub(t.At) > soon)
	})
	switch {
	case now.State == Connected:
		return nil
	case err == nil && (now.Trouble == nil || now.Trouble == before):
		return ErrStopped
	case now.Trouble != nil && (err == nil || errors.Is(err, context.DeadlineExceeded)):
		return &RefusedError{Status: now, Retry: time.Until(now.Trouble.Until)}
	}
	return err
}

// RefusedError is a connection that was not established, with its reason.
type RefusedError struct {
	Status Status
	Retry  time.Duration // when another attempt makes sense; zero or less: not without someone acting
}

// Error returns the problem and what to do.
func (e *RefusedError) Error() string { return e.Status.Trouble.Message }

// Disconnect takes the instance offline and keeps it paired. A pairing in progress is ended.
func (i *Instance) Disconnect(ctx context.Context) error {
	if _, err := i.stopPairing(ctx); err != nil {
		return err
	}
	if err := i.want(ctx, false); err != nil {
		return err
	}
	_, err := i.await(ctx, func(s Status) bool { return s.State != Connected && s.State != Connecting })
	return err
}

// Logout unpairs the instance, and ends a pairing in progress. When WhatsApp cannot be reached, the
// session is deleted here all the same; the phone then still lists the device.
func (i *Instance) Logout(ctx context.Context) error {
	linked, err := i.stopPairing(ctx)
	if err != nil {
		return err
	}
	cli := i.cli.Load()
	if cli == nil {
		return nil
	}
	if linked { // the phone agreed before the pairing could be stopped, and lists the device
		if err := i.want(ctx, true); err != nil {
			return err
		}
	}
	if i.wanted() { // it may be connecting: without a connection the owner has to unlink the device by hand
		short, cancel := context.WithTimeout(ctx, soon)
		defer cancel()
		_, _ = i.await(short, func(s Status) bool { return s.State == Connected || !i.wanted() })
	}
	if cli.IsLoggedIn() {
		if err := i.unlink(ctx, cli); err != nil {
			i.log.Warn("WhatsApp did not confirm the logout; remove the device on the phone", "error", redact(err.Error()))
		}
	}
	if err := i.Disconnect(ctx); err != nil {
		return err
	}
	if i.cli.Load() == nil { // the server's logout event came first, and whatsmeow has deleted the session
		return nil
	}
	if err := i.pool.opts.Registry.SetDevice(ctx, i.name, "", ""); err != nil {
		return err
	}
	i.cli.Store(nil)
	i.pool.compare(i)
	if err := cli.Store.Container.DeleteDevice(ctx, cli.Store); !errors.Is(err, errDeleted) {
		return fmt.Errorf("delete the session: %w", err)
	}
	i.remember(ctx, LoggedOut, nil)
	i.set(LoggedOut, nil)
	return nil
}

// unlink removes this device from the account. It sends the query of Client.Logout, which would
// also clear the device while handlers still use it.
func (i *Instance) unlink(ctx context.Context, cli *whatsmeow.Client) error {
	ctx, cancel := context.WithTimeout(ctx, i.pool.opts.Limits.Ack)
	defer cancel()
	_, err := cli.DangerousInternals().SendIQ(ctx, whatsmeow.DangerousInfoQuery{
		Namespace: "md", Type: "set", To: types.ServerJID,
		Content: []waBinary.Node{{
			Tag:   "remove-companion-device",
			Attrs: waBinary.Attrs{"jid": cli.Store.GetJID(), "reason": "user_initiated"},
		}},
	})
	return err
}

// askToDeliver asks WhatsApp to deliver incoming events. It sends the query of Client.SetPassive,
// which would wait for the next connection when this one ends.
func askToDeliver(ctx context.Context, cli *whatsmeow.Client) error {
	_, err := cli.DangerousInternals().SendIQ(ctx, whatsmeow.DangerousInfoQuery{
		Namespace: "passive", Type: "set", To: types.ServerJID, NoRetry: true,
		Content: []waBinary.Node{{Tag: "active"}},
	})
	return err
}
