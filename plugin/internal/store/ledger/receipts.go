package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Receipt is a phone's report about messages of ours.
type Receipt struct {
	MessageIDs []string
	State      State     // Delivered or Read
	At         time.Time // zero: now
	Member     string    // in a group: the member whose phone it is, as a JID without device; "" in a private chat
}

// Receipt raises the state of the instance's sends. Ids that are not ours, a refused send and a
// state that is already higher are left unchanged, so receipts may arrive twice and in any order. A
// group message counts as delivered or read as soon as one member has it, and each member's step is
// a change of its own.
func (l *Ledger) Receipt(ctx context.Context, instance string, r Receipt) error {
	if r.State != Delivered && r.State != Read {
		return fmt.Errorf("receipt: %v is not a receipt's state", r.State)
	}
	at := r.At
	if at.IsZero() {
		at = l.now()
	}
	// A power cut loses a change only together with its event.
	return l.db.WriteUnsynced(ctx, "store the receipt", func(t *sqldb.Tx) error {
		for _, id := range r.MessageIDs {
			err := l.lift(t, instance, id, r.State, at, func(c Change, raised, wanted bool) (err error) {
				if r.Member != "" {
					message := c
					c, raised, err = l.liftMember(t, instance, id, r, at)
					if message.Arrived() { // the acknowledgement will come too late to be a change, so this one shows the arrival
						c.From, c.Account = message.From, message.Account
					}
				}
				if err != nil || !raised || !wanted {
					return err
				}
				return l.put(t, c)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// liftMember does for one member of a group what lift does for the message.
func (l *Ledger) liftMember(t *sqldb.Tx, instance, id string, r Receipt, at time.Time) (c Change, raised bool, err error) {
	var delivered, read int64
	if r.State == Delivered {
		delivered = sqldb.Millis(at)
	} else {
		read = sqldb.Millis(at)
	}
	err = t.Row(`INSERT INTO tapnode_receipts (instance, message_id, member, state, delivered_at, read_at)
		SELECT instance, message_id, $3, $4, $5, $6 FROM tapnode_ledger
			WHERE instance = $1 AND message_id = $2 AND state <> $7
		ON CONFLICT (instance, message_id, member) DO UPDATE SET state = excluded.state, read_at = excluded.read_at
			WHERE tapnode_receipts.state < excluded.state RETURNING delivered_at`,
		[]any{instance, id, r.Member, r.State, delivered, read, Failed}, &delivered)
	if errors.Is(err, sqldb.ErrNotFound) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	c = Change{From: Sent, To: r.State, At: at, Member: r.Member}
	if r.State == Read && delivered != 0 {
		c.From = Delivered
	}
	c.Entry, err = sqldb.One(t.Context(), t, scanEntry, `SELECT `+entryColumns+` FROM tapnode_ledger WHERE instance = $1 AND message_id = $2`, instance, id)
	return c, err == nil, err
}

// Member is the state of a message for one member of a group.
type Member struct {
	JID         string
	State       State
	DeliveredAt time.Time // zero: not reported
	ReadAt      time.Time
}

// Members returns the members of a group whose phones have reported on a message, by JID.
func (l *Ledger) Members(ctx context.Context, instance, messageID string) ([]Member, error) {
	found, err := sqldb.All(ctx, l.db, func(row sqldb.Scanner) (m Member, err error) {
		var delivered, read int64
		err = row.Scan(&m.JID, &m.State, &delivered, &read)
		m.DeliveredAt, m.ReadAt = sqldb.Time(delivered), sqldb.Time(read)
		return m, err
	}, `SELECT member, state, delivered_at, read_at FROM tapnode_receipts
		WHERE instance = $1 AND message_id = $2 ORDER BY member`, instance, messageID)
	return found, sqldb.Wrap("read the members' receipts", err)
}
