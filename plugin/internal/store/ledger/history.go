package ledger

import (
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

// Reached is a state that a send has reached, and when.
type Reached struct {
	State State
	At    time.Time
}

// Change is the step of a send to a higher state.
type Change struct {
	Entry    Entry // as it is after the change
	From, To State
	At       time.Time
	Member   string // JID of the group member it is about; "" for the message itself

	Account recipient.Chat // the sending account; set if the change shows that WhatsApp has the message
}

// Arrived reports whether the change is the one that shows that WhatsApp has the message. Each send
// has at most one.
func (c Change) Arrived() bool { return c.From < Sent && c.To >= Sent }

// reachedAt maps each state to the column with its time. An entry is an Intent from its creation.
var reachedAt = map[State]string{
	Unknown: "unknown_at", Failed: "failed_at", Sent: "sent_at", Delivered: "delivered_at", Read: "read_at",
}

// History returns every state the send has reached, from the lowest. A state that was skipped (a
// receipt can be faster than the acknowledgement) is not included.
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

// before returns the state from which the send reached to.
func (e Entry) before(to State) State {
	from := Intent
	for _, s := range e.History() {
		if s.State < to {
			from = s.State
		}
	}
	return from
}

// raise raises a send to a state at a time and stores the event for hosts, unless the send is
// already in that state or a higher one, or was refused.
func (l *Ledger) raise(t *sqldb.Tx, instance, messageID string, to State, at time.Time) error {
	return l.lift(t, instance, messageID, to, at, func(c Change, raised, wanted bool) error {
		if !raised || !wanted {
			return nil
		}
		return l.put(t, c)
	})
}

// lift is raise that passes the change to then instead of storing an event. wanted says whether a
// host has subscribed to it.
func (l *Ledger) lift(t *sqldb.Tx, instance, messageID string, to State, at time.Time, then func(c Change, raised, wanted bool) error) error {
	return l.change(t, to, at, instance, then, `UPDATE tapnode_ledger SET state = $3, `+reachedAt[to]+` = $4, updated_at = $5
		WHERE instance = $1 AND message_id = $2 AND state < $3 AND state <> $6 RETURNING `+liftedColumns,
		instance, messageID, to, sqldb.Millis(at), sqldb.Millis(l.now()), Failed)
}

// change runs a statement that raises at most one send and returns its liftedColumns, and passes
// the change to then.
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

// liftedColumns are an entry's columns, followed by the account of its instance.
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

// wanted tells then whether a host has subscribed to the changes of an instance's sends, once the
// earlier statements have been answered.
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

// event makes the event of a change. If that fails, the change is stored without one: otherwise it
// would come again for ever, as a receipt from WhatsApp or as an outcome from the journal.
func (l *Ledger) event(c Change) (outbox.Event, bool) {
	e, err := l.opt.Status.New(c)
	if err != nil {
		l.opt.Log.Error("no host is told of a change of a send: no event can be made of it", "instance", c.Entry.Instance, "state", c.To, "error", err)
	}
	return e, err == nil
}
