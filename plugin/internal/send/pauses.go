package send

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
	"github.com/tapnode/tapnode/sdk"
)

// CodePaused is the code of a message that waits for the end of a pause.
const CodePaused = "new_contacts_paused"

// Why new contacts are paused; the codes of the refusals that begin it.
var (
	pausedByLock = Refusals[ackNewChatsLocked].Code
	pausedByCap  = Refusals[ackNewChatsCapped].Code
)

// pausedBecause are the reasons in words.
var pausedBecause = map[string]string{
	pausedByLock: "WhatsApp locked new chats of this account (463)",
	pausedByCap:  "the account's monthly quota of new chats is used up (475)",
}

// PauseOptions configure Pauses. Those not called optional are required.
type PauseOptions struct {
	Store *store.Store
	Log   *slog.Logger
	Lock  time.Duration // of a lock whose end WhatsApp did not say
	Cap   time.Duration // of a used-up quota; 0: until the month is over, in UTC
	// Changed hears of every pause that begins or changes, and with nil of its end. It
	// must not block. Optional.
	Changed func(instance string, p *registry.Pause)
}

// Pauses are the times in which instances write only to people who wrote first. They
// are stored; what is in memory is what the store said last. Its methods are safe for
// concurrent use.
type Pauses struct {
	PauseOptions

	mu     sync.Mutex
	now    map[string]*pause // as many as there are instances
	closed bool
}

// pause is the one of an instance that ends last.
type pause struct {
	registry.Pause
	end *time.Timer
}

// OpenPauses reads the pauses that are on. The caller closes them.
func OpenPauses(ctx context.Context, o PauseOptions) (*Pauses, error) {
	p := &Pauses{PauseOptions: o, now: map[string]*pause{}}
	all, err := o.Store.Registry.Pauses(ctx, "")
	if err != nil {
		return nil, err
	}
	for i, one := range all { // the last to end comes first
		if i == 0 || all[i-1].Instance != one.Instance {
			p.set(one.Instance, &one)
		}
	}
	return p, nil
}

// Close ends the timers.
func (p *Pauses) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, now := range p.now {
		now.end.Stop()
	}
}

// Now is the instance's pause; nil for none.
func (p *Pauses) Now(instance string) *registry.Pause {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now[instance]; now != nil && time.Now().Before(now.Until) {
		one := now.Pause
		return &one
	}
	return nil
}

// Reload takes what is stored: another process may have begun a pause, or ended it.
func (p *Pauses) Reload(ctx context.Context, instance string) {
	stored, err := p.Store.Registry.Pauses(ctx, instance)
	if err != nil {
		p.Log.Error("the pause of new contacts could not be read", "instance", instance, "error", err)
		return
	}
	if len(stored) == 0 {
		p.set(instance, nil)
		return
	}
	p.set(instance, &stored[0])
}

// Resume ends the instance's pauses before their time.
func (p *Pauses) Resume(ctx context.Context, instance string) error {
	err := p.Store.Registry.EndPause(ctx, instance, "")
	if err == nil {
		p.Reload(ctx, instance)
	}
	return err
}

// Remove forgets a deleted instance.
func (p *Pauses) Remove(instance string) { p.set(instance, nil) }

// Timelock is pool.Options.OnTimelock: WhatsApp says that new chats are locked, until
// when, or that they are not any more.
func (p *Pauses) Timelock(ctx context.Context, i *pool.Instance, l *events.NotifyAccountReachoutTimelock) {
	var err error
	if l.IsActive {
		now := time.Now()
		lock := registry.Pause{Instance: i.Name(), Reason: pausedByLock, Since: now, Until: l.TimeEnforcementEnds.Time}
		if lock.Until.IsZero() {
			lock.Until = now.Add(p.Lock)
		}
		err = p.Store.Registry.PutPause(ctx, lock)
	} else {
		err = p.Store.Registry.EndPause(ctx, i.Name(), pausedByLock)
	}
	if err != nil {
		p.Log.Error("the lock of new chats could not be stored", "instance", i.Name(), "error", err)
	}
	p.Reload(ctx, i.Name())
}

// begin begins a pause when WhatsApp refused a message because it opened a chat: the
// next one would be refused too, and counted against the account.
func (p *Pauses) begin(ctx context.Context, instance string, ack int) {
	now := time.Now()
	next := registry.Pause{Instance: instance, Since: now}
	switch ack {
	case ackNewChatsLocked:
		next.Reason, next.Until = pausedByLock, now.Add(p.Lock)
	case ackNewChatsCapped:
		next.Reason, next.Until = pausedByCap, now.Add(p.Cap)
		if p.Cap == 0 {
			next.Until = endOfMonth(now)
		}
	default:
		return
	}
	stored, err := p.Store.Registry.Pauses(ctx, instance)
	for _, known := range stored {
		if known.Reason == next.Reason { // WhatsApp may have said until when
			return
		}
	}
	if err == nil {
		err = p.Store.Registry.PutPause(ctx, next)
	}
	if err != nil {
		p.Log.Error("the pause of new contacts could not be stored", "instance", instance, "error", err)
	}
	p.Reload(ctx, instance)
}

// endOfMonth is when the next month begins, in UTC.
func endOfMonth(now time.Time) time.Time {
	y, m, _ := now.UTC().Date()
	return time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
}

// set replaces what is known of an instance, and forgets it when its time is over.
func (p *Pauses) set(instance string, next *registry.Pause) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.now[instance]; old != nil {
		old.end.Stop()
		delete(p.now, instance)
	}
	if next != nil && !p.closed {
		one := &pause{Pause: *next}
		one.end = time.AfterFunc(time.Until(next.Until), func() { p.over(instance, one) })
		p.now[instance] = one
	}
	if p.Changed != nil {
		p.Changed(instance, next)
	}
}

func (p *Pauses) over(instance string, one *pause) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now[instance] != one {
		return
	}
	delete(p.now, instance)
	if p.Changed != nil {
		p.Changed(instance, nil)
	}
}

// mayWrite refuses to open a chat while new contacts are paused. A reply is a message
// to somebody who wrote first; groups and channels are no contacts.
func (p *Pauses) mayWrite(ctx context.Context, instance string, chat recipient.Chat) error {
	now := p.Now(instance)
	if now == nil || !chat.Person() {
		return nil
	}
	wrote, err := p.Store.Inbox.Wrote(ctx, instance, chat)
	if err != nil {
		return problem.Storage(err)
	}
	if wrote {
		return nil
	}
	return problem.Retryable(problem.New(http.StatusTooManyRequests, CodePaused, sdk.FaultCaller,
		PausedMessage(*now)+", and this person has not written first"), time.Until(now.Until))
}

// mayRepeat is mayWrite for a message of which an earlier attempt may have left.
func (p *Pauses) mayRepeat(ctx context.Context, instance string, chat recipient.Chat) error {
	err := p.mayWrite(ctx, instance, chat)
	if paused, ok := errors.AsType[*sdk.Problem](err); ok {
		paused.Effect = sdk.EffectUnknown
		paused.Message += "; an earlier attempt may have arrived, which a receipt will tell"
	}
	return err
}

// PausedMessage is a pause in words, without a full stop.
func PausedMessage(p registry.Pause) string {
	return fmt.Sprintf("New contacts are paused until %s, because %s; replies go through", p.Until.UTC().Format(time.RFC3339), pausedBecause[p.Reason])
}
