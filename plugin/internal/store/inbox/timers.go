package inbox

import (
	"context"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
)

// Timer is how long the messages of a chat live before every phone deletes them.
type Timer struct {
	Seconds uint32    // 0: they stay
	SetAt   time.Time // when that was so, by WhatsApp's clock; of two the later counts. Zero: not known
	Told    int64     // when it was set as phones tell each other, unix seconds; 0: not said
}

// SetTimer notes the timer of a chat, under each of its names, unless a later one is known.
func (i *Inbox) SetTimer(ctx context.Context, instance string, chat recipient.Chat, timer Timer) error {
	return i.db.WriteUnsynced(ctx, "store the chat's timer", func(t *sqldb.Tx) error {
		return i.setTimer(t, instance, chat, timer)
	})
}

func (i *Inbox) setTimer(t *sqldb.Tx, instance string, chat recipient.Chat, timer Timer) error {
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

// Timer reads the timer of a chat. Error: sqldb.ErrNotFound when nobody has said it.
func (i *Inbox) Timer(ctx context.Context, instance string, chat recipient.Chat) (Timer, error) {
	var timer Timer
	var setAt int64
	err := i.db.Row(sqldb.Apart(ctx), `SELECT seconds, set_at, told FROM tapnode_timers WHERE instance = $1 AND chat IN ($2, $3) AND chat <> ''
		ORDER BY set_at DESC LIMIT 1`, []any{instance, chat.JID, chat.LID}, &timer.Seconds, &setAt, &timer.Told)
	timer.SetAt = sqldb.Time(setAt)
	return timer, sqldb.Wrap("read the chat's timer", err)
}
