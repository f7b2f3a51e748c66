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

// pairing is one that is under way.
type pairing struct {
	cli    *whatsmeow.Client
	line   context.Context // of the connection, see login
	hangUp context.CancelFunc
	cancel context.CancelFunc // ends the pairing
	done   chan struct{}      // closed when what came of it is stored
	letGo  bool               // its dial was, see dial

	mu      sync.Mutex
	agreed  bool // the phone has; there is no way back
	stopped bool // by somebody who wants the instance offline
	over    bool // ended before the phone agreed
}

// leave ends the pairing, unless the phone has agreed: then the account lists the
// device, and who leaves must not orphan it.
func (p *pairing) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.agreed {
		p.over = true
		p.cancel()
	}
}

// stop is leave for somebody who wants the instance offline also if it is paired.
func (p *pairing) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.leave()
}

// agree notes that the phone has agreed, and reports whether that was in time.
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

// stopPairing ends a pairing and waits until it is over. It reports whether the phone
// had agreed before, so that the instance is paired now.
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

// pair links a new device and leaves its client, disconnected, to the supervisor, which
// is to connect it. ErrStopped: somebody else wants the instance offline.
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
		if !p.letGo && i.cli.Load() != p.cli { // else whatsmeow or the supervisor may use it
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
		i.stir() // it may be another process's by now, and says so
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

// outcome is what the events of a pairing's client say.
type outcome struct {
	paired  chan error            // nil once whatsmeow has linked the device
	ended   chan struct{}         // the server has ended the connection
	down    <-chan *waBinary.Node // and hung up: whatsmeow tells those who wait for an answer, and nobody else after it has linked a device
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

// agree records the device before whatsmeow stores its keys: a crash in between leaves
// an instance that is logged out, never keys that nobody owns.
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

// prompt dials and shows what the phone needs, until the pairing has ended in one way or
// another. A nil error is a pairing that worked.
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
		case <-ctx.Done(): // whatsmeow looks at it only when there are codes
			return ctx.Err()
		}
		switch item.Event {
		case "": // there are no more
			return ErrPairTimeout
		case whatsmeow.QRChannelEventCode:
			switch {
			case asked: // whatsmeow goes on with codes whose secret is no longer valid
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

// dialToPair dials in its turn, as the supervisor does, and says why it cannot.
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

// adopt makes the client that the phone has agreed to the instance's own, and asks for
// its connection unless somebody has stopped the pairing meanwhile. The server now ends
// the pairing's connection (stream error 515) and expects a login on a new one. Whether
// it does so in time is of no interest: the supervisor dials anew anyway.
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
	case <-ctx.Done(): // nobody waits for it any longer
	case <-i.ctx.Done():
	case <-o.down:
		hangsUp = false
	case <-t.C:
		hangsUp = false
	}
	if hangsUp {
		// The server does so in a moment, and gets one anyway: whatsmeow races with itself when we do at the same time:
		// socket.FrameSocket.Close against socket.NoiseSocket.Stop.
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
