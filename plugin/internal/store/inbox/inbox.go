// Package inbox stores what people wrote to an instance: the messages, so that they can be quoted;
// who has written at all, which decides whom the instance may write to while new contacts are
// paused; and how long the messages of a chat live.
package inbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/internal/sqldb/memo"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
)

// Options bound what an inbox keeps. All are required.
type Options struct {
	Keep         time.Duration // messages
	KeepContacts time.Duration // since somebody last wrote
	Messages     int           // over it the oldest go first
	Contacts     int
	Now          func() time.Time
	Alone        bool // no other process writes to the database, so timers may be cached
}

// Inbox holds the messages in a database. Its methods are safe for concurrent use.
type Inbox struct {
	db  *sqldb.DB
	opt Options
	now func() time.Time

	timers *memo.Memo[chatOf, answer] // of chats that were written to; nil: other processes may write
}

// New returns the inbox of a migrated database.
func New(db *sqldb.DB, opt Options) *Inbox {
	i := &Inbox{db: db, opt: opt, now: opt.Now}
	if opt.Alone {
		i.timers = memo.New[chatOf, answer](timersKept)
	}
	return i
}

// Sweeps lists the tables from which old rows and rows over a limit are removed.
func (i *Inbox) Sweeps() []sqldb.Sweep {
	now := i.now()
	return []sqldb.Sweep{
		{Table: "tapnode_messages", Key: "instance, message_id", Order: "stored_at", Over: "stored_at < $1", Before: now.Add(-i.opt.Keep), Limit: i.opt.Messages},
		{Table: "tapnode_contacts", Key: "instance, jid", Order: "wrote_at", Over: "wrote_at < $1", Before: now.Add(-i.opt.KeepContacts), Limit: i.opt.Contacts},
		{Table: "tapnode_timers", Key: "instance, chat", Order: "seen_at", Over: "seen_at < $1", Before: now.Add(-i.opt.KeepContacts), Limit: i.opt.Contacts},
	}
}

// Forget removes what was written to an instance.
func (i *Inbox) Forget(t *sqldb.Tx, instance string) error {
	i.overtaken(t, func(c chatOf) bool { return c.instance == instance })
	_, err := t.Exec(`DELETE FROM tapnode_messages WHERE instance = $1`, instance)
	_, err2 := t.Exec(`DELETE FROM tapnode_contacts WHERE instance = $1`, instance)
	_, err3 := t.Exec(`DELETE FROM tapnode_timers WHERE instance = $1`, instance)
	return errors.Join(err, err2, err3)
}

// Message is a sent or received message, kept so that it can be quoted.
type Message struct {
	Instance string
	ID       string
	Chat     recipient.Chat
	Sender   string // without device
	FromMe   bool
	Source   string // of a sent one: the request's
	Body     []byte // marshalled waE2E.Message
	SentAt   time.Time
	Timer    *Timer // of the chat, if the message reveals it
}

// Put stores a message and records that its sender has written. The first message with an id stays:
// a stranger cannot replace it.
func (i *Inbox) Put(ctx context.Context, m Message) error {
	return i.db.WriteUnsynced(ctx, "store the message", func(t *sqldb.Tx) error { return i.Keep(t, m) })
}

// Keep is Put in the transaction that stores what the message became.
func (i *Inbox) Keep(t *sqldb.Tx, m Message) error {
	if !m.FromMe {
		if err := i.wrote(t, m); err != nil {
			return err
		}
	}
	if m.Timer != nil {
		if err := i.setTimer(t, m.Instance, m.Chat, *m.Timer); err != nil {
			return err
		}
	}
	return t.Later(`INSERT INTO tapnode_messages (instance, message_id, chat, chat_lid, sender, from_me, source, body, sent_at, stored_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (instance, message_id) DO NOTHING`,
		m.Instance, m.ID, m.Chat.JID, m.Chat.LID, m.Sender, m.FromMe, m.Source, m.Body, sqldb.Millis(m.SentAt), sqldb.Millis(i.now()))
}

// Get reads a kept message. Error: sqldb.ErrNotFound.
func (i *Inbox) Get(ctx context.Context, instance, id string) (Message, error) {
	m := Message{Instance: instance, ID: id}
	var sentAt int64
	err := i.db.Row(sqldb.Apart(ctx), `SELECT chat, chat_lid, sender, from_me, source, body, sent_at FROM tapnode_messages
		WHERE instance = $1 AND message_id = $2`, []any{instance, id},
		&m.Chat.JID, &m.Chat.LID, &m.Sender, &m.FromMe, &m.Source, &m.Body, &sentAt)
	m.SentAt = sqldb.Time(sentAt)
	return m, sqldb.Wrap("read the message", err)
}

// wroteEvery is the precision of the time at which somebody last wrote: fine enough for the
// retention, coarse enough to cost nothing.
const wroteEvery = 24 * time.Hour

// wrote records that somebody has written to the instance in private.
func (i *Inbox) wrote(t *sqldb.Tx, m Message) error {
	args := []any{m.Instance, sqldb.Millis(i.now()), sqldb.Millis(i.now().Add(-wroteEvery))}
	var rows []string
	for _, jid := range [...]string{m.Chat.JID, m.Chat.LID} {
		if jid != "" && !strings.HasSuffix(jid, "@g.us") {
			args = append(args, jid)
			rows = append(rows, fmt.Sprintf(`($1, $%d, $2)`, len(args)))
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return t.Later(`INSERT INTO tapnode_contacts (instance, jid, wrote_at) VALUES `+strings.Join(rows, ", ")+`
		ON CONFLICT (instance, jid) DO UPDATE SET wrote_at = excluded.wrote_at WHERE tapnode_contacts.wrote_at < $3`, args...)
}

// Wrote reports whether somebody, under either name of the chat, has written to the instance within
// the retention.
func (i *Inbox) Wrote(ctx context.Context, instance string, chat recipient.Chat) (bool, error) {
	var n int
	err := i.db.Row(sqldb.Apart(ctx), `SELECT count(*) FROM tapnode_contacts WHERE instance = $1 AND jid IN ($2, $3) AND jid <> ''`,
		[]any{instance, chat.JID, chat.LID}, &n)
	return n > 0, sqldb.Wrap("look for the contact", err)
}
