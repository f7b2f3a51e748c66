package ledger

import (
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

// Reached is a state that a send came to, and when.
type Reached struct {
	State State
	At    time.Time
}

// Change is the way of a send to a higher state.
type Change struct {
	Entry    Entry // as it is after the change
	From, To State
	At       time.Time
	Member   string // JID of the group member it is about; "" for the message itself

	Account recipient.Chat // that sent it, in a change that shows that WhatsApp has it
}

// Arrived reports whether the change is the one that shows that WhatsApp has the message. Each send
// has one at most.
func (c Change) Arrived() bool { return c.From < Sent && c.To >= Sent }

// reachedAt are the columns with the times of the states. An entry is an Intent from
// its creation.
var reachedAt = map[State]string{
	Unknown: "unknown_at", Failed: "failed_at", Sent: "sent_at", Delivered: "delivered_at", Read: "read_at",
}

// History is every state the send reached, from the lowest. A state that was jumped
// over (a receipt can be faster than the acknowledgement) is not in it.
func (e Entry) History() []Reached {
	steps := []Reached{
		{Intent, e.CreatedAt}, {Unknown, e.UnknownAt}, {Failed, e.FailedAt},
		{Sent, e.SentAt}, {Delivered, e.DeliveredAt}, {Read, e.ReadAt},
	}
	reached := steps[:0]
	for _, s := range steps {
		if !s.At.IsZero() {
			reached = append(reached, s)
		}
	}
	return reached
}

// before is the state from which the send came to a state.
func (e Entry) before(to State) State {
	from := Intent
	for _, s := range e.History() {
		if s.State < to {
			from = s.State
		}
	}
	return from
}

// raise lifts a send to a state at a time, unless it is there already or beyond, or
// was refused, and tells hosts of it.
func (l *Ledger) raise(t *sqldb.Tx, instance, messageID string, to State, at time.Time) error {
	return l.lift(t, instance, messageID, to, at, func(c Change, raised, wanted bool) error {
		if !raised || !wanted {
			return nil
		}
		return l.put(t, c)
	})
}

// lift tells of the change, and whether a host has subscribed to it.
func (l *Ledger) lift(t *sqldb.Tx, instance, messageID string, to State, at time.Time, then func(c Change, raised, wanted bool) error) error {
	return l.change(t, to, at, instance, then, `UPDATE tapnode_ledger SET state = $3, `+reachedAt[to]+` = $4, updated_at = $5
		WHERE instance = $1 AND message_id = $2 AND state < $3 AND state <> $6 RETURNING `+liftedColumns,
		instance, messageID, to, sqldb.Millis(at), sqldb.Millis(l.now()), Failed)
}

// change runs a statement that raises one send at most, and returns its liftedColumns.
func (l *Ledger) change(t *sqldb.Tx, to State, at time.Time, instance string, then func(c Change, raised, wanted bool) error, query string, args ...any) error {
	var c Change
	raised := false
	err := t.Then(query, args, func(row sqldb.Scanner) (err error) {
		c, err = scanLifted(row)
		c.From, c.To, c.At, raised = c.Entry.before(to), to, at, true
		return err
	}, nil)
	if err != nil {
		return err
	}
	return l.wanted(t, instance, func(wanted bool) error { return then(c, raised, wanted) })
}

// liftedColumns are an entry's, with the account of its instance behind them.
const liftedColumns = entryColumns + `,
	COALESCE((SELECT account FROM tapnode_instances WHERE name = tapnode_ledger.instance), ''),
	COALESCE((SELECT account_lid FROM tapnode_instances WHERE name = tapnode_ledger.instance), '')`

// scanLifted reads the liftedColumns.
func scanLifted(row sqldb.Scanner) (c Change, err error) {
	c.Entry, err = scanEntry(wider{row, []any{&c.Account.JID, &c.Account.LID}})
	return c, err
}

// wider is a row that has more columns than its reader asks for.
type wider struct {
	sqldb.Scanner
	more []any
}

func (w wider) Scan(dest ...any) error { return w.Scanner.Scan(append(dest, w.more...)...) }

// wanted tells whether a host has subscribed to the changes of an instance's sends, when what was asked before is answered.
func (l *Ledger) wanted(t *sqldb.Tx, instance string, then func(wanted bool) error) error {
	if l.opt.Status.New == nil {
		return t.Then(`SELECT 1`, nil, nil, func(int64) error { return then(false) })
	}
	return l.outbox.Wanted(t, l.opt.Status.Type, instance, then)
}

// put stores the event of a change that is wanted.
func (l *Ledger) put(t *sqldb.Tx, c Change) error {
	if e, ok := l.event(c); ok {
		return l.outbox.Insert(t, e)
	}
	return nil
}

// event is that of a change. One of which none can be made is stored all the same: it would come again for ever, as a
// receipt from WhatsApp and as an outcome from the journal.
func (l *Ledger) event(c Change) (outbox.Event, bool) {
	e, err := l.opt.Status.New(c)
	if err != nil {
		l.opt.Log.Error("no host is told of a change of a send: no event can be made of it", "instance", c.Entry.Instance, "state", c.To, "error", err)
	}
	return e, err == nil
}
