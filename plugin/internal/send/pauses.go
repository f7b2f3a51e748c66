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

// CodePaused is the code for a message refused during a pause.
const CodePaused = "new_contacts_paused"

// Reasons for which new contacts are paused: the codes of the refusals that start the pause.
var (
	pausedByLock = Refusals[ackNewChatsLocked].Code
	pausedByCap  = Refusals[ackNewChatsCapped].Code
)

// pausedBecause describes each reason.
var pausedBecause = map[string]string{
	pausedByLock: "WhatsApp locked new chats of this account (463)",
	pausedByCap:  "the account's monthly quota of new chats is used up (475)",
}

// PauseOptions configure Pauses. Fields not marked optional are required.
type PauseOptions struct {
	Store *store.Store
	Log   *slog.Logger
	Lock  time.Duration // length of a lock whose end WhatsApp did not give
	Cap   time.Duration // length of the pause after a used-up quota; 0: until the end of the month, in UTC
	// Changed is called when a pause starts or changes, and with nil when it ends. It must not
	// block. Optional.
	Changed func(instance string, p *registry.Pause)
}

// Pauses tracks the periods in which instances write only to people who wrote first. Pauses are
// stored; the copy in memory is the store's last answer. The methods are safe for concurrent use.
type Pauses struct {
	PauseOptions

	mu     sync.Mutex
	now    map[string]*pause // by instance; at most one each
	closed bool
}

// pause is the pause of an instance that ends last.
type pause struct {
	registry.Pause
	end *time.Timer
}

// OpenPauses reads the active pauses. The caller must close the result.
func OpenPauses(ctx context.Context, o PauseOptions) (*Pauses, error) {
	p := &Pauses{PauseOptions: o, now: map[string]*pause{}}
	all, err := o.Store.Registry.Pauses(ctx, "")
	if err != nil {
		return nil, err
	}
	for i, one := range all { // sorted: the pause that ends last comes first
		if i == 0 || all[i-1].Instance != one.Instance {
			p.set(one.Instance, &one)
		}
	}
	return p, nil
}

// Close stops the timers.
func (p *Pauses) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, now := range p.now {
		now.end.Stop()
	}
}

// Now returns the instance's pause, or nil.
func (p *Pauses) Now(instance string) *registry.Pause {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now[instance]; now != nil && time.Now().Before(now.Until) {
		one := now.Pause
		return &one
	}
	return nil
}

// Reload reads the stored pauses again: another process may have started or ended one.
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

// Resume ends the instance's pauses early.
func (p *Pauses) Resume(ctx context.Context, instance string) error {
	err := p.Store.Registry.EndPause(ctx, instance, "")
	if err == nil {
		p.Reload(ctx, instance)
	}
	return err
}

// Remove forgets a deleted instance.
func (p *Pauses) Remove(instance string) { p.set(instance, nil) }

// Timelock is pool.Options.OnTimelock: WhatsApp reports that new chats are locked and until when,
// or that the lock is over.
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

// begin starts a pause after WhatsApp refused a message because it opened a new chat: the next such
// message would be refused too, and count against the account.
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
		if known.Reason == next.Reason { // keep the end that WhatsApp may have given
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

// endOfMonth returns when the next month starts, in UTC.
func endOfMonth(now time.Time) time.Time {
	y, m, _ := now.UTC().Date()
	return time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
}

// set replaces the known pause of an instance, and removes it when its time is over.
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

// mayWrite refuses to open a new chat while new contacts are paused. A reply is a message to
// someone who wrote first; groups and channels are not contacts.
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

// mayRepeat is mayWrite for a message whose earlier attempt may have left.
func (p *Pauses) mayRepeat(ctx context.Context, instance string, chat recipient.Chat) error {
	err := p.mayWrite(ctx, instance, chat)
	if paused, ok := errors.AsType[*sdk.Problem](err); ok {
		paused.Effect = sdk.EffectUnknown
		paused.Message += "; an earlier attempt may have arrived, which a receipt will tell"
	}
	return err
}

// PausedMessage describes a pause, without a full stop.
func PausedMessage(p registry.Pause) string {
	return fmt.Sprintf("New contacts are paused until %s, because %s; replies go through", p.Until.UTC().Format(time.RFC3339), pausedBecause[p.Reason])
}
