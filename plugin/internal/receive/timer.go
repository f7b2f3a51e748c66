package receive

import (
	"context"

	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/inbox"
)

// timer stores what a message says about its chat's timer when nothing else of it is
// kept; nil: it says nothing.
func (r *Receiver) timer(ctx context.Context, instance string, t *clicks.Timer) error {
	if t == nil {
		return nil
	}
	return r.store.Inbox.SetTimer(ctx, instance, t.Chat, *timerOf(*t))
}

func timerOf(t clicks.Timer) *inbox.Timer {
	return &inbox.Timer{Seconds: t.Seconds, SetAt: t.At, Told: t.Told}
}

// Group is pool.Options.OnGroup: WhatsApp says that a group's timer was changed.
func (r *Receiver) Group(ctx context.Context, i *pool.Instance, g *events.GroupInfo) error {
	if g.Ephemeral == nil {
		return nil
	}
	t := inbox.Timer{SetAt: g.Timestamp}
	if g.Ephemeral.IsEphemeral {
		t.Seconds = g.Ephemeral.DisappearingTimer
	}
	return r.store.Inbox.SetTimer(ctx, i.Name(), recipient.ChatOf(g.JID), t)
}
