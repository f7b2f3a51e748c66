package pool

import (
	"context"
	"errors"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// composing is how often "typing…" is repeated: recipients' clients hide it after 10 to 25 seconds.
const composing = 10 * time.Second

// Type shows "typing…" in a chat for d and then "paused"; in a channel, which shows neither, it
// only waits. The indicator is a courtesy, so a presence that cannot be sent is not an error. The
// error is the context's, or ErrNotConnected.
func (i *Instance) Type(ctx context.Context, chat types.JID, d time.Duration) error {
	cli, err := i.Client()
	if err != nil {
		return err
	}
	if chat.Server == types.NewsletterServer {
		return i.pause(ctx, d)
	}
	// Typing is visible only while the account is online, but staying online would silence the
	// notifications of the account's phone. WhatsApp accepts no presence from an account without a
	// name; whatsmeow must not be asked for the name, because it writes it without a lock.
	present := i.Account().PushName != "" && cli.SendPresence(ctx, types.PresenceAvailable) == nil
	end := time.NewTimer(d)
	defer end.Stop()
	again := time.NewTicker(composing)
	defer again.Stop()
	err = cli.SendChatPresence(ctx, chat, types.ChatPresenceComposing, types.ChatPresenceMediaText)
	for done := false; !done; {
		select {
		case <-end.C:
			done = true
		case <-again.C:
			err = errors.Join(err, cli.SendChatPresence(ctx, chat, types.ChatPresenceComposing, types.ChatPresenceMediaText))
		case <-ctx.Done():
			done = true
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err = errors.Join(err, cli.SendChatPresence(last, chat, types.ChatPresencePaused, types.ChatPresenceMediaText))
	if present {
		err = errors.Join(err, cli.SendPresence(last, types.PresenceUnavailable))
	}
	if err != nil {
		i.log.Debug("typing was not shown", "error", redact(err.Error()))
	}
	return ctx.Err()
}

// pause waits for d. The error is the context's, or ErrNotConnected.
func (i *Instance) pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-i.ctx.Done():
		return ErrNotConnected
	}
}
