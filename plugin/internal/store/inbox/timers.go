package inbox

import (
	"context"
	"errors"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
)

// Timer is how long the messages of a chat live before every phone deletes them.
type Timer struct {
	Seconds uint32    // 0: they stay
	SetAt   time.Time // when it was set or seen, by WhatsApp's clock; of two timers the later counts. Zero: not known
	Told    int64     // when it was set according to the phones, unix seconds; 0: not given
}

// timersKept is how many chats' timers are cached: those of a burst of menus, at some 200 bytes
// each.
const timersKept = 2048

// answer is what the database has for a chat: its timer, or the error that there is none.
type answer struct {
	timer Timer
	err   error
}

// chatOf names a chat of an instance.
type chatOf struct {
	instance string
	recipient.Chat
}

// SetTimer stores the timer of a chat, under each of its names, unless a later one is known.
func (i *Inbox) SetTimer(ctx context.Context, instance string, chat recipient.Chat, timer Timer) error {
	return i.db.WriteUnsynced(ctx, "store the chat's timer", func(t *sqldb.Tx) error {
		return i.setTimer(t, instance, chat, timer)
	})
}

func (i *Inbox) setTimer(t *sqldb.Tx, instance string, chat recipient.Chat, timer Timer) error {
	i.overtaken(t, func(c chatOf) bool {
		return c.instance == instance && (c.JID != "" && c.JID == chat.JID || c.LID != "" && c.LID == chat.LID)
	})
	for _, name := range [...]string{chat.JID, chat.LID} {
		if name == "" {
			continue
		}
		err := t.Later(`INSERT INTO tapnode_timers (instance, chat, seconds, set_at, told, seen_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (instance, chat) DO UPDATE SET seconds = excluded.seconds, set_at = excluded.set_at, told = excluded.told, seen_at = excluded.seen_at
				WHERE tapnode_timers.set_at <= excluded.set_at AND (tapnode_timers.seconds <> excluded.seconds OR tapnode_timers.seen_at < $7)`,
			instance, name, timer.Seconds, sqldb.Millis(timer.SetAt), timer.Told, sqldb.Millis(i.now()), sqldb.Millis(i.now().Add(-wroteEvery)))
		if err != nil {
			return err
		}
	}
	return nil
}

// Timer reads the timer of a chat. Error: sqldb.ErrNotFound if it is not known.
func (i *Inbox) Timer(ctx context.Context, instance string, chat recipient.Chat) (Timer, error) {
	if i.timers == nil {
		return i.readTimer(ctx, instance, chat)
	}
	c := chatOf{instance, chat}
	said, ok, ticket := i.timers.Get(c)
	if !ok {
		timer, err := i.readTimer(ctx, instance, chat)
		if err != nil && !errors.Is(err, sqldb.ErrNotFound) {
			return timer, err
		}
		said = answer{timer, err}
		i.timers.Fill(c, said, ticket)
	}
	return said.timer, said.err
}

func (i *Inbox) readTimer(ctx context.Context, instance string, chat recipient.Chat) (Timer, error) {
	var timer Timer
	var setAt int64
	err := i.db.Row(sqldb.Apart(ctx), `SELECT seconds, set_at, told FROM tapnode_timers WHERE instance = $1 AND chat IN ($2, $3) AND chat <> ''
		ORDER BY set_at DESC LIMIT 1`, []any{instance, chat.JID, chat.LID}, &timer.Seconds, &setAt, &timer.Told)
	timer.SetAt = sqldb.Time(setAt)
	return timer, sqldb.Wrap("read the chat's timer", err)
}

// overtaken drops the cached timers that a write changes.
func (i *Inbox) overtaken(t *sqldb.Tx, match func(chatOf) bool) {
	if i.timers != nil {
		i.timers.Drop(match)
		t.Committed(func() { i.timers.Drop(match) })
	}
}
