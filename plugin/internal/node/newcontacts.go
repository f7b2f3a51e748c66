package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/sdk"
)

const codePaused = "new_contacts_paused"

// Why new contacts are paused; the codes of the refusals that begin it.
var (
	pausedByLock = refusals[ackNewChatsLocked].code
	pausedByCap  = refusals[ackNewChatsCapped].code
)

// pausedBecause are the reasons in words.
var pausedBecause = map[string]string{
	pausedByLock: "WhatsApp locked new chats of this account (463)",
	pausedByCap:  "the account's monthly quota of new chats is used up (475)",
}

// pauseAfter begins a pause when WhatsApp refused a message because it opened a chat:
// the next one would be refused too, and counted against the account.
func (p *process) pauseAfter(ctx context.Context, instance string, ack int) {
	now := time.Now()
	pause := store.Pause{Instance: instance, Since: now}
	switch ack {
	case ackNewChatsLocked:
		pause.Reason, pause.Until = pausedByLock, now.Add(time.Duration(p.settings.NewContacts.LockHours)*time.Hour)
	case ackNewChatsCapped:
		pause.Reason, pause.Until = pausedByCap, now.Add(p.settings.NewContacts.Cap.duration())
		if p.settings.NewContacts.Cap == 0 {
			pause.Until = endOfMonth(now)
		}
	default:
		return
	}
	paused, err := p.store.Pauses(ctx, instance)
	for _, known := range paused {
		if known.Reason == pause.Reason { // WhatsApp may have said until when
			return
		}
	}
	if err == nil {
		err = p.store.PutPause(ctx, pause)
	}
	if err != nil {
		p.log.Error("the pause of new contacts could not be stored", "instance", instance, "error", err)
	}
	p.showPause(ctx, instance)
}

// endOfMonth is when the next month begins, in UTC.
func endOfMonth(now time.Time) time.Time {
	y, m, _ := now.UTC().Date()
	return time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
}

// timelock is pool.Options.OnTimelock: WhatsApp says that new chats are locked, until
// when, or that they are not any more.
func (p *process) timelock(ctx context.Context, i *pool.Instance, l *events.NotifyAccountReachoutTimelock) {
	var err error
	if l.IsActive {
		now := time.Now()
		pause := store.Pause{Instance: i.Name(), Reason: pausedByLock, Since: now, Until: l.TimeEnforcementEnds.Time}
		if pause.Until.IsZero() {
			pause.Until = now.Add(time.Duration(p.settings.NewContacts.LockHours) * time.Hour)
		}
		err = p.store.PutPause(ctx, pause)
	} else {
		err = p.store.EndPause(ctx, i.Name(), pausedByLock)
	}
	if err != nil {
		p.log.Error("the lock of new chats could not be stored", "instance", i.Name(), "error", err)
	}
	p.showPause(ctx, i.Name())
}

// showPause takes what is stored: this process may not have begun it.
func (p *process) showPause(ctx context.Context, instance string) {
	pauses, err := p.store.Pauses(ctx, instance)
	if err != nil {
		p.log.Error("the pause of new contacts could not be read", "instance", instance, "error", err)
		return
	}
	p.conditions.pause(instance, pauses)
}

// mayWrite refuses to open a chat while new contacts are paused. A reply is a message
// to somebody who wrote first; groups and channels are no contacts.
func (p *process) mayWrite(ctx context.Context, instance string, chat store.Chat) error {
	pause := p.conditions.paused(instance)
	if pause == nil || chat.LID == "" && !strings.HasSuffix(chat.JID, "@s.whatsapp.net") {
		return nil
	}
	wrote, err := p.store.Wrote(ctx, instance, chat)
	if err != nil {
		return storeProblem(err)
	}
	if wrote {
		return nil
	}
	return retryable(problem(http.StatusTooManyRequests, codePaused, sdk.FaultCaller,
		pausedMessage(*pause)+", and this person has not written first"), time.Until(pause.Until))
}

// mayRepeat is mayWrite for a message of which an earlier attempt may have left.
func (p *process) mayRepeat(ctx context.Context, instance string, chat store.Chat) error {
	err := p.mayWrite(ctx, instance, chat)
	if paused, ok := errors.AsType[*sdk.Problem](err); ok {
		paused.Effect = sdk.EffectUnknown
		paused.Message += "; an earlier attempt may have arrived, which a receipt will tell"
	}
	return err
}

func pausedMessage(p store.Pause) string {
	return fmt.Sprintf("New contacts are paused until %s, because %s; replies go through", p.Until.UTC().Format(time.RFC3339), pausedBecause[p.Reason])
}

func (n *node) resumeNewContacts(ctx context.Context, call *sdk.Call, in named) (oneInstance, error) {
	p := n.process.Load()
	i, err := p.pool.Get(in.Instance)
	if err == nil {
		err = i.Lease(ctx, call.LeaseEpoch)
	}
	if err == nil {
		err = p.store.EndPause(ctx, in.Instance, "")
	}
	if err != nil {
		return oneInstance{}, poolProblem(err)
	}
	p.showPause(ctx, in.Instance)
	return oneInstance{p.describe(i)}, nil
}
