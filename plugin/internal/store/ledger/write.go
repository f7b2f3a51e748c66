package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
)

// Plan is a message about to be sent.
type Plan struct {
	Chat     recipient.Chat
	Profile  string
	Message  []byte      // marshalled waE2E.Message
	Warnings []byte      // JSON or nil
	Menu     *menus.Menu // stored with the intent; nil for a message without buttons

	Source, Correlation string // reported with every change of the state
}

// Intend turns a fresh claim's send into an intent. [Claim.Store] puts the intent and its menu on
// disk, in one transaction, before anything is sent. The menu's instance, message id, chat and time
// are set from the claim and the plan.
func (l *Ledger) Intend(c *Claim, p Plan) {
	now := sqldb.Time(sqldb.Millis(l.now()))
	e := &c.Entry
	e.Chat, e.Profile, e.Message, e.Warnings, e.State = p.Chat, p.Profile, p.Message, p.Warnings, Intent
	e.Source, e.Correlation = p.Source, p.Correlation
	e.CreatedAt, e.UpdatedAt, e.ExpiresAt = now, now, sqldb.Time(sqldb.Millis(l.now().Add(l.opt.Keep)))
	c.ledger, c.menu = l, nil
	if p.Menu != nil {
		m := *p.Menu
		m.Instance, m.MessageID, m.Chat, m.SentAt, m.CreatedAt = e.Instance, e.MessageID, e.Chat, e.CreatedAt, e.CreatedAt
		c.menu = &m
	}
}

// Store stores an intent in t, which must commit before the message is sent: for a message to
// people it is the transaction of its ratchets. sqldb.ErrExists: another process was faster. If the
// write goes ahead, its rows include the outcome if that is known when they are written.
func (c *Claim) Store(t *sqldb.Tx) error {
	l, e, m := c.ledger, c.Entry, c.menu
	return t.Revised(func(t *sqldb.Tx, final bool) error {
		if o := c.ahead.known(final); o != nil {
			return l.insertSettled(t, e, m, o)
		}
		return insert(t, e, m)
	})
}

// insert stores a send and its menu, if it has one.
func insert(t *sqldb.Tx, e Entry, menu *menus.Menu) error {
	err := t.Insert(`INSERT INTO tapnode_ledger (`+entryColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 0, 0, $18, 0, 0)`,
		e.Operation, scoped(e.Instance, e.Key), e.Fingerprint, e.Instance, e.Chat.JID, e.Chat.LID, e.MessageID, e.State, e.Profile,
		e.Message, e.Outcome, e.Warnings, sqldb.Millis(e.CreatedAt), sqldb.Millis(e.UpdatedAt), sqldb.Millis(e.ExpiresAt),
		e.Source, e.Correlation, sqldb.Millis(e.SentAt))
	if err != nil || menu == nil {
		return err
	}
	return menu.Insert(t)
}

// About lists the names that the intent concerns, see sqldb.DB.WriteAhead.
func (c *Claim) About() []string {
	names := c.Entry.names()
	return []string{names[0].String(), names[1].String()}
}

// Outcome is how a send ended.
type Outcome struct {
	State    State     // Sent or Failed
	JSON     []byte    // the operation's answer, to be replayed
	Warnings []byte    // JSON; nil keeps what Intend stored
	ChatLID  string    // as SendResponse.Chat says; "" keeps what is known
	SentAt   time.Time // the server's time; zero keeps the intent's
}

// Conclude stores how the send ended, where the end of the process cannot lose it. If a power cut
// loses the outcome, the send is an intent again and is sent again under the same id. A receipt
// that was faster is kept: the state never goes back. A send that ends as Failed loses its menu,
// since nobody can press the buttons of a refused message.
func (l *Ledger) Conclude(ctx context.Context, c *Claim, o Outcome) error {
	if o.State != Sent && o.State != Failed {
		return fmt.Errorf("conclude: %v is not an outcome", o.State)
	}
	at := l.now()
	if o.State == Sent && !o.SentAt.IsZero() {
		at = o.SentAt
	}
	if l.follow(ctx, c, &settled{o, at}) {
		return nil
	}
	return l.db.WriteUnsynced(ctx, "store the outcome", func(t *sqldb.Tx) error {
		return l.settle(t, c.Entry, c.menu != nil || c.Verdict != Fresh, o, at)
	})
}

// settle stores the outcome of a send. menu says whether the send may have a menu.
func (l *Ledger) settle(t *sqldb.Tx, e Entry, menu bool, o Outcome, at time.Time) error {
	err := l.conclude(t, e, o, at)
	if err == nil && menu {
		err = concludeMenu(t, e, o)
	}
	return err
}

// conclude stores the outcome and raises the state to it. If a receipt was faster or the state is
// final, it stores only the outcome.
func (l *Ledger) conclude(t *sqldb.Tx, e Entry, o Outcome, at time.Time) error {
	return l.change(t, o.State, at, e.Instance, func(c Change, raised, wanted bool) error {
		switch {
		case !raised:
			return l.concludeAlone(t, e, o, at)
		case !wanted:
			return nil
		}
		return l.put(t, c)
	}, `UPDATE tapnode_ledger SET state = $3, `+reachedAt[o.State]+` = $4, updated_at = $5,
			outcome = $6, warnings = COALESCE($7, warnings), chat_lid = CASE WHEN $8 = '' THEN chat_lid ELSE $8 END
		WHERE operation = $1 AND idem_key = $2 AND state < $3 AND state <> $9 RETURNING `+liftedColumns,
		e.Operation, scoped(e.Instance, e.Key), o.State, sqldb.Millis(at), sqldb.Millis(l.now()),
		o.JSON, o.Warnings, o.ChatLID, Failed)
}

// concludeAlone stores an outcome that changes no state.
func (l *Ledger) concludeAlone(t *sqldb.Tx, e Entry, o Outcome, at time.Time) error {
	proof, sentAt := Failed, int64(0) // a failure does not replace what a receipt proves
	if o.State == Sent {
		proof, sentAt = Read, sqldb.Millis(at)
	}
	return t.Then(`UPDATE tapnode_ledger SET
			outcome = CASE WHEN state > $3 THEN outcome ELSE $4 END,
			warnings = COALESCE($5, warnings),
			chat_lid = CASE WHEN $6 = '' THEN chat_lid ELSE $6 END,
			sent_at = CASE WHEN sent_at = 0 THEN $7 ELSE sent_at END
		WHERE operation = $1 AND idem_key = $2`,
		[]any{e.Operation, scoped(e.Instance, e.Key), proof, o.JSON, o.Warnings, o.ChatLID, sentAt}, nil, func(n int64) error {
			if n == 0 {
				return sqldb.ErrNotFound
			}
			return nil
		})
}

// concludeMenu removes the menu of a refused send, unless a receipt shows that it arrived. A menu
// that was sent gets its chat's LID and its time by the server's clock, which also dates the
// clicks; its expiry counts from that time.
func concludeMenu(t *sqldb.Tx, e Entry, o Outcome) error {
	if o.State == Failed {
		return t.Later(`DELETE FROM tapnode_menus WHERE instance = $1 AND message_id = $2 AND clicks = 0 AND EXISTS
			(SELECT 1 FROM tapnode_ledger WHERE instance = $1 AND message_id = $2 AND state = $3)`, e.Instance, e.MessageID, Failed)
	}
	lid := o.ChatLID
	if lid == "" {
		lid = e.Chat.LID
	}
	sentAt := o.SentAt
	if sentAt.IsZero() {
		sentAt = e.CreatedAt
	}
	if lid == e.Chat.LID && sentAt.Equal(e.CreatedAt) {
		return nil
	}
	return t.Later(`UPDATE tapnode_menus SET chat_lid = $3, sent_at = $4,
		expires_at = CASE WHEN expires_at = 0 THEN 0 ELSE expires_at + $4 - sent_at END
		WHERE instance = $1 AND message_id = $2`, e.Instance, e.MessageID, lid, sqldb.Millis(sentAt))
}

// MarkUnknown records that the message was sent and no answer came. The key can be resumed; a
// receipt can still settle it.
func (l *Ledger) MarkUnknown(ctx context.Context, c *Claim) error {
	return l.db.WriteUnsynced(ctx, "store the unknown outcome", func(t *sqldb.Tx) error {
		return l.raise(t, c.Entry.Instance, c.Entry.MessageID, Unknown, l.now())
	})
}

// Withdraw removes a fresh claim's send and its menu once it is known that nothing of it arrived.
// The key is then as new, and a repeat starts from the beginning. A claim that resumed an older
// send cannot be withdrawn, since nobody knows what became of the older send.
func (l *Ledger) Withdraw(ctx context.Context, c *Claim) error {
	if c.Verdict != Fresh {
		return fmt.Errorf("withdraw: an earlier attempt of %s may have arrived", c.Entry.MessageID)
	}
	e := c.Entry
	return l.db.WriteUnsynced(ctx, "withdraw the send", func(t *sqldb.Tx) error {
		n, err := t.Exec(`DELETE FROM tapnode_ledger WHERE instance = $1 AND message_id = $2 AND state = $3`, e.Instance, e.MessageID, Intent)
		if err == nil && n > 0 {
			_, err = t.Exec(`DELETE FROM tapnode_menus WHERE instance = $1 AND message_id = $2`, e.Instance, e.MessageID)
		}
		return err
	})
}

// MessageForRetry answers whatsmeow's GetMessageForRetry with the encoded message that was sent to
// chat (phone or LID form) under id. Error: sqldb.ErrNotFound, also if the id was sent to someone
// else or by another account.
func (l *Ledger) MessageForRetry(ctx context.Context, instance, chat, id string) (Entry, error) {
	e, err := sqldb.One(sqldb.Concerning(ctx, menus.Name(instance, id)), l.db, scanEntry, `SELECT `+entryColumns+` FROM tapnode_ledger
		WHERE instance = $1 AND message_id = $2 AND (chat = $3 OR chat_lid = $3) AND message IS NOT NULL`, instance, id, chat)
	return e, sqldb.Wrap("find the message to retry", err)
}
