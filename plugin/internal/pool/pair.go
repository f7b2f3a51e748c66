package pool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// Stages of a pairing, as spelled in whatsapp.instance.connect.progress.json.
const (
	StageQR         = "qr"
	StageCode       = "code"
	StagePasskey    = "passkey"
	StageConfirm    = "confirm"
	StagePaired     = "paired"
	StageConnecting = "connecting"
)

// Prompt is what the user has to see or do for a pairing to continue.
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

// pairing is a pairing in progress.
type pairing struct {
	cli    *whatsmeow.Client
	line   context.Context // the connection's context, see login
	hangUp context.CancelFunc
	cancel context.CancelFunc // ends the pairing
	done   chan struct{}      // closed once the outcome is stored
	letGo  bool               // dial returned errLetGo

	mu      sync.Mutex
	agreed  bool // the phone has agreed; the pairing can no longer be cancelled
	stopped bool // ended by a caller who wants the instance offline
	over    bool // ended before the phone agreed
}

// leave ends the pairing unless the phone has agreed: from then on the account lists the device,
// and a caller who leaves must not orphan it.
func (p *pairing) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.agreed {
		p.over = true
		p.cancel()
	}
}

// stop is like leave, and also keeps the instance offline if it ends up paired.
func (p *pairing) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.leave()
}

// agree records that the phone has agreed, and reports whether it did so in time.
func (p *pairing) agree() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.agreed = !p.over
	return p.agreed
}

func (p *pairing) wasStopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped
}

func (p *pairing) hasAgreed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.agreed
}

// stopPairing ends a pairing and waits until it is over. linked reports that the phone had already
// agreed and the instance is therefore paired.
func (i *Instance) stopPairing(ctx context.Context) (linked bool, err error) {
	p := i.pairing.Load()
	if p == nil {
		return false, nil
	}
	p.stop()
	select {
	case <-p.done:
		return p.hasAgreed() && i.cli.Load() != nil, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// pair links a new device and hands its disconnected client to the supervisor, which then connects
// it. ErrStopped means that another call wants the instance offline.
func (i *Instance) pair(ctx context.Context, phone string, show func(Prompt)) (err error) {
	if err := i.pool.begin(); err != nil {
		return err
	}
	defer i.pool.wg.Done()
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	line, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	p := &pairing{cli: i.newClient(i.pool.opts.Devices.NewDevice()), line: line, hangUp: hangUp, cancel: cancel, done: make(chan struct{})}
	if !i.pairing.CompareAndSwap(nil, p) {
		return ErrPairing
	}
	defer close(p.done)
	defer i.pairing.Store(nil)
	defer context.AfterFunc(ctx, p.leave)()
	defer context.AfterFunc(i.ctx, p.leave)()
	before := i.Status()
	defer func() {
		if !p.letGo && i.cli.Load() != p.cli { // otherwise whatsmeow or the supervisor may use the client
			defer time.AfterFunc(i.pool.opts.Limits.HangUp, hangUp).Stop()
			disconnect(p.cli)
		}
		var refused *RefusedError
		switch {
		case err == nil:
		case i.cli.Load() != nil:
			i.set(Disconnected, nil)
		case errors.As(err, &refused):
			i.set(before.State, refused.Status.Trouble)
		default:
			i.set(before.State, before.Trouble)
		}
		i.stir() // the instance may belong to another process by now; the supervisor then updates the status
	}()
	outcome := newOutcome(i, p)
	err = i.prompt(life, p, phone, show, outcome)
	if p.hasAgreed() {
		return i.adopt(ctx, p, outcome)
	}
	switch {
	case p.wasStopped():
		return ErrStopped
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// outcome collects the events of a pairing's client.
type outcome struct {
	paired  chan error            // nil once whatsmeow has linked the device
	ended   chan struct{}         // closed when the server has ended the pairing's connection
	down    <-chan *waBinary.Node // the connection is closed: once a device is linked, whatsmeow reports this only to callers that wait for an answer
	refusal atomic.Pointer[verdict]
}

func newOutcome(i *Instance, p *pairing) *outcome {
	inside := p.cli.DangerousInternals()
	o := &outcome{paired: make(chan error, 1), ended: make(chan struct{}), down: inside.WaitResponse(inside.GenerateRequestID())}
	end := sync.OnceFunc(func() { close(o.ended) })
	p.cli.PrePairCallback = func(jid types.JID, _, _ string) bool { return i.agree(p, jid) }
	p.cli.AddEventHandler(func(evt any) {
		switch e := evt.(type) {
		case *events.PairSuccess:
			o.paired <- nil
		case *events.PairError:
			o.paired <- e.Error
		case *events.ManualLoginReconnect:
			end()
		default:
			if v := judge(evt); v != nil {
				o.refusal.Store(v)
			}
		}
	})
	return o
}

// agree records the device before whatsmeow stores its keys: a crash in between leaves a logged-out
// instance, never keys that belong to no instance.
func (i *Instance) agree(p *pairing, jid types.JID) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(i.ctx), i.pool.opts.Limits.Store)
	defer cancel()
	err := i.owned(ctx)
	if err == nil && !p.agree() {
		return false
	}
	if err == nil {
		err = i.pool.opts.Registry.SetDevice(ctx, i.name, jid.String(), "")
	}
	if err != nil {
		i.log.Error("the pairing could not be stored", "error", err)
	}
	return err == nil
}

// prompt dials and shows the user each step until the pairing has ended. A nil error means that the
// pairing succeeded.
func (i *Instance) prompt(ctx context.Context, p *pairing, phone string, show func(Prompt), o *outcome) error {
	codes, err := p.cli.GetQRChannel(ctx)
	if err != nil {
		return err
	}
	presented := i.pool.web.current()
	if err := i.dialToPair(ctx, p); err != nil {
		return err
	}
	i.set(Pairing, nil)
	coded, asked := false, false
	for {
		var item whatsmeow.QRChannelItem
		select {
		case item = <-codes:
		case <-ctx.Done(): // whatsmeow checks ctx only when a code is due
			return ctx.Err()
		}
		switch item.Event {
		case "": // the channel is closed
			return ErrPairTimeout
		case whatsmeow.QRChannelEventCode:
			switch {
			case asked: // whatsmeow keeps sending codes whose secret is no longer valid
			case phone == "":
				until := time.Now().Add(item.Timeout)
				show(Prompt{Stage: StageQR, QR: item.Code, ExpiresAt: &until})
			case !coded:
				coded = true
				code, err := p.cli.PairPhone(ctx, phone, true, whatsmeow.PairClientChrome, displayName)
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
			return nil
		case whatsmeow.QRChannelTimeout.Event:
			return ErrPairTimeout
		case whatsmeow.QRChannelClientOutdated.Event:
			return &outdatedError{presented}
		case whatsmeow.QRChannelEventError:
			return &PairError{item.Error}
		case whatsmeow.QRChannelScannedWithoutMultidevice.Event:
			i.log.Warn("the phone scanned the code but has linked devices switched off")
		default:
			if v := o.refusal.Load(); v != nil {
				return &RefusedError{Status: Status{State: v.state, Trouble: &Trouble{Code: v.code, Message: v.message, At: time.Now()}}, Retry: v.retry}
			}
			return &PairError{errors.New(item.Event)}
		}
	}
}

// dialToPair waits for a dial slot, as the supervisor does, then dials, and gives the reason if
// that fails.
func (i *Instance) dialToPair(ctx context.Context, p *pairing) error {
	select {
	case i.pool.dials <- struct{}{}:
		defer func() { <-i.pool.dials }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, i.pool.opts.Limits.Login)
	defer cancel()
	if err := i.owned(ctx); err != nil {
		return err
	}
	err := dial(ctx, p.line, p.hangUp, p.cli)
	if err == nil {
		return nil
	}
	p.letGo = errors.Is(err, errLetGo)
	code, message := unreachable(err)
	i.log.Debug("the dial of a pairing failed", "reason", code, "error", redactErr(err))
	return &RefusedError{Retry: soon, Status: Status{State: Disconnected,
		Trouble: &Trouble{Code: code, Message: message + "; then connect the instance again", At: time.Now()}}}
}

// adopt makes the client that the phone has agreed to the instance's client, and requests a
// connection unless the pairing was stopped meanwhile. The server now ends the pairing's connection
// (stream error 515) and expects a login on a new one. It does not matter whether it does so in
// time, because the supervisor dials a new connection anyway.
func (i *Instance) adopt(ctx context.Context, p *pairing, o *outcome) error {
	t := time.NewTimer(i.pool.opts.Limits.Store + serverEnds)
	defer t.Stop()
	err := context.DeadlineExceeded
	select {
	case err = <-o.paired:
	case <-t.C:
	}
	storing, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.pool.opts.Limits.Store+serverEnds)
	defer cancel()
	if err != nil {
		if stored := i.pool.opts.Registry.SetDevice(storing, i.name, "", ""); stored != nil {
			i.log.Error("the end of the pairing could not be stored", "error", stored)
		}
		return &PairError{err}
	}
	t.Reset(serverEnds)
	hangsUp := true
	select {
	case <-o.ended:
	case <-ctx.Done(): // the caller has left
	case <-i.ctx.Done():
	case <-o.down:
		hangsUp = false
	case <-t.C:
		hangsUp = false
	}
	if hangsUp {
		// The server closes the connection shortly, so we first give it the time to. If we closed
		// it at the same moment, whatsmeow would race with itself (socket.FrameSocket.Close against
		// socket.NoiseSocket.Stop).
		t.Reset(i.pool.opts.Limits.HangUp)
		select {
		case <-o.down:
		case <-t.C:
		}
	}
	disconnect(p.cli)
	i.account.Store(&Account{JID: p.cli.Store.GetJID().ToNonAD(), LID: p.cli.Store.GetLID().ToNonAD()})
	i.cli.Store(p.cli)
	if p.wasStopped() {
		return ErrStopped
	}
	i.set(Connecting, nil)
	return i.want(storing, true)
}
