package outbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Event is something that happened on an instance and waits for its hosts.
type Event struct {
	ID          string   // see EventID
	Also        []string // equivalent ids: an event stored under one of them is this one; not read back
	Type        string   // e.g. "whatsapp.button.clicked.v1"
	Instance    string
	Subject     string
	Time        time.Time // when it happened
	Data        []byte    // JSON
	Correlation string
	Traceparent string // W3C trace context of the cause
	Cursor      []byte // set when the event is read: resumes after it
}

// Append stores an event for every subscriber. It reports false if one of the event's ids was
// stored before, even if that event was delivered and removed since; then only the other ids are
// recorded. with may be nil.
func (o *Outbox) Append(ctx context.Context, e Event, with With) (fresh bool, err error) {
	return o.Begin(ctx, e, func(*sqldb.Tx) error { return nil }, with)()
}

// With completes a new event in the transaction that stores it: it calls insert once, at once or
// after an answer that it waits for with [sqldb.Tx.Then]. If it fails, nothing is stored. It may
// run more than once, and must use the database only through its Tx.
type With func(t *sqldb.Tx, e Event, insert func(Event) error) error

// Begin is Append without the waiting: it returns when the event is queued to be stored, and wait
// returns as Append does. along runs before anything else in the transaction, even if the event is
// known.
func (o *Outbox) Begin(ctx context.Context, e Event, along func(*sqldb.Tx) error, with With) (wait func() (fresh bool, err error)) {
	if e.ID == "" || e.Type == "" {
		return func() (bool, error) { return false, errors.New("append the event: it has no id or no type") }
	}
	var fresh bool
	stored := o.db.BeginSynced(ctx, "store the event", func(t *sqldb.Tx) error {
		if err := along(t); err != nil {
			return err
		}
		return o.learn(t, e, func(all bool) error {
			if fresh = all; !fresh {
				return nil
			}
			insert := func(e Event) error { return o.Insert(t, e) }
			if with == nil {
				return insert(e)
			}
			return with(t, e, insert)
		})
	})
	return func() (bool, error) {
		if err := stored(); err != nil {
			return false, err
		}
		return fresh, nil
	}
}

// learn records the ids of an event and tells then whether none was known.
func (o *Outbox) learn(t *sqldb.Tx, e Event, then func(fresh bool) error) error {
	args := []any{sqldb.Millis(o.now()), e.ID}
	rows := `($2, $1)`
	for _, id := range e.Also {
		args = append(args, id)
		rows += fmt.Sprintf(`, ($%d, $1)`, len(args))
	}
	return t.Then(`INSERT INTO tapnode_seen (id, seen_at) VALUES `+rows+` ON CONFLICT (id) DO NOTHING`, args, nil, func(n int64) error {
		return then(n == int64(1+len(e.Also)))
	})
}

// Insert puts an event at the end of the log, in the transaction of the change that it reports.
// Waiting readers are woken when that is committed.
func (o *Outbox) Insert(t *sqldb.Tx, e Event) error {
	// The counter's row is locked until the commit, so that a reader never sees a
	// sequence before a smaller one.
	err := t.Later(`INSERT INTO tapnode_sequence (name, value) VALUES ('events', 1)
		ON CONFLICT (name) DO UPDATE SET value = tapnode_sequence.value + 1`)
	if err != nil {
		return err
	}
	var seq int64
	err = t.Then(`INSERT INTO tapnode_events (seq, id, type, instance, subject, correlation, data, time, stored_at, traceparent)
		VALUES ((SELECT value FROM tapnode_sequence WHERE name = 'events'), $1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING seq`,
		[]any{e.ID, e.Type, e.Instance, e.Subject, e.Correlation, e.Data, sqldb.Millis(e.Time), sqldb.Millis(o.now()), e.Traceparent},
		func(row sqldb.Scanner) error { return row.Scan(&seq) }, nil)
	if err != nil {
		return err
	}
	t.Committed(func() {
		e.Also = nil
		e.Time = sqldb.Time(sqldb.Millis(e.Time)) // as it is read
		o.tail.add(entry{e, seq})
		o.signals.Wake(e.Type)
	})
	return o.signals.Tell(t, e.Type)
}

// skipped is more sequences than can be unsynced at one time: SQLite syncs its log
// every thousand pages at the latest.
const skipped = 100_000

// skip leaves out the sequences that a power cut may have lost. A host may have read events under
// them, and must not take later ones for those.
func (o *Outbox) skip(ctx context.Context) error {
	return o.db.Write(ctx, "skip sequences", func(t *sqldb.Tx) error {
		_, err := t.Exec(`UPDATE tapnode_sequence SET value = value + $1 WHERE name = 'events'`, skipped)
		return err
	})
}

// Filter selects events; an empty list selects all.
type Filter struct {
	Types     []string
	Instances []string
}

// maxRead bounds one Read.
const maxRead = 1000

// Read reads the events after cursor that the filter selects, in the order of the log, at
// most limit (1 to 1000). An empty cursor is before the oldest kept event.
func (o *Outbox) Read(ctx context.Context, cursor []byte, f Filter, limit int) ([]Event, error) {
	p, _, err := o.position(cursor)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	entries, err := o.read(ctx, p.floor(), 0, f, min(max(limit, 1), maxRead))
	var events []Event
	for _, e := range entries {
		e.Cursor = o.cursor(position{seq: e.seq})
		events = append(events, e.Event)
	}
	return events, err
}

// entry is an event in the log.
type entry struct {
	Event
	seq int64
}

// read reads events after a sequence, and up to another one unless that is 0.
func (o *Outbox) read(ctx context.Context, after, until int64, f Filter, limit int) ([]entry, error) {
	args := []any{after, limit}
	where := in(&args, "type", f.Types) + in(&args, "instance", f.Instances)
	if until > 0 {
		args = append(args, until)
		where += fmt.Sprintf(" AND seq <= $%d", len(args))
	}
	entries, err := sqldb.All(sqldb.Apart(ctx), o.db, scanEntry, `SELECT seq, id, type, instance, subject, correlation, data, time, traceparent
		FROM tapnode_events WHERE seq > $1`+where+` ORDER BY seq LIMIT $2`, args...)
	return entries, sqldb.Wrap("read events", err)
}

func scanEntry(row sqldb.Scanner) (entry, error) {
	var e entry
	var at int64
	err := row.Scan(&e.seq, &e.ID, &e.Type, &e.Instance, &e.Subject, &e.Correlation, &e.Data, &at, &e.Traceparent)
	e.Time = sqldb.Time(at)
	return e, err
}

// in adds "AND column IN (…)" for a list that is not empty.
func in(args *[]any, column string, list []string) string {
	if len(list) == 0 {
		return ""
	}
	marks := make([]string, len(list))
	for i, v := range list {
		*args = append(*args, v)
		marks[i] = fmt.Sprintf("$%d", len(*args))
	}
	return " AND " + column + " IN (" + strings.Join(marks, ", ") + ")"
}

// EventID derives the id of the event about one message under one name of its chat and
// sender, without device. WhatsApp delivers a message again until it is acknowledged,
// maybe under another name: see Event.Also.
func EventID(kind, instance, chat, sender, messageID string) string {
	sum := Digest("tapnode/event-id/v1", kind, instance, chat, sender, messageID)
	return hex.EncodeToString(sum[:16])
}

// Digest hashes parts unambiguously: each is preceded by its length.
func Digest(domain string, parts ...string) [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s", len(domain), domain)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
