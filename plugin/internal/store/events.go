package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Event is something that happened on an instance and waits for its hosts.
type Event struct {
	ID          string // see EventID
	Type        string // e.g. "whatsapp.button.clicked.v1"
	Instance    string
	Subject     string
	Time        time.Time // when it happened
	Data        []byte    // JSON
	Correlation string
	Message     *Message // to keep with it, see PutMessage; not set by Read
	Cursor      []byte   // set by Read: resume after it
}

// Appended is the answer to an Append.
type Appended struct {
	Duplicate bool  // the id is known: nothing was stored
	Click     Count // of AppendClick; zero without a menu
}

// Append stores an event for every subscriber. An id that was stored before,
// delivered and freed or not, is a duplicate.
func (s *Store) Append(ctx context.Context, e Event) (Appended, error) {
	return s.append(ctx, e, func(*tx, *Event) (Count, error) { return Count{}, nil })
}

// AppendClick stores a click on a menu of e.Instance, and decides and counts there,
// in one transaction: a redelivered click is neither stored nor counted, and of two
// at once only one is first. data makes the event's JSON from the count; when it
// fails nothing is stored. It may run more than once, and inside the transaction: it
// must not ask the store or whatsmeow for anything. A refused click is stored
// without its correlation, so that it answers nothing.
func (s *Store) AppendClick(ctx context.Context, e Event, p Press, data func(Count) ([]byte, error)) (Appended, error) {
	return s.append(ctx, e, func(t *tx, e *Event) (c Count, err error) {
		if c, err = p.count(t, e.Instance, e.Time); err != nil {
			return c, err
		}
		if c.Refused != "" {
			e.Correlation = ""
		}
		e.Data, err = data(c)
		return c, err
	})
}

func (s *Store) append(ctx context.Context, e Event, complete func(*tx, *Event) (Count, error)) (Appended, error) {
	if e.ID == "" || e.Type == "" {
		return Appended{}, errors.New("append the event: it has no id or no type")
	}
	var result Appended
	err := s.write(ctx, "store the event", func(t *tx) error {
		result = Appended{}
		now := millis(s.now())
		fresh, err := t.exec(`INSERT INTO tapnode_seen (id, seen_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, e.ID, now)
		if err != nil || fresh == 0 {
			result.Duplicate = err == nil
			return err
		}
		e := e
		if result.Click, err = complete(t, &e); err != nil {
			return err
		}
		if e.Message != nil {
			if err := s.keep(t, *e.Message); err != nil {
				return err
			}
		}
		return s.insert(t, e)
	})
	if err != nil {
		return Appended{}, err
	}
	if !result.Duplicate {
		s.wake.wake(e.Type)
	}
	return result, nil
}

// insert puts an event at the end of the log.
func (s *Store) insert(t *tx, e Event) error {
	// The counter's row is locked until the commit, so that a reader never sees a
	// sequence before a smaller one.
	var seq int64
	err := t.row(`INSERT INTO tapnode_sequence (name, value) VALUES ('events', 1)
		ON CONFLICT (name) DO UPDATE SET value = tapnode_sequence.value + 1 RETURNING value`).Scan(&seq)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO tapnode_events (seq, id, type, instance, subject, correlation, data, time, stored_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		seq, e.ID, e.Type, e.Instance, e.Subject, e.Correlation, e.Data, millis(e.Time), millis(s.now()))
	return err
}

// skipped is more sequences than can be unsynced at one time: SQLite syncs its log
// every thousand pages at the latest.
const skipped = 100_000

// skip leaves out the sequences that a power cut may have taken back. A host may have
// read events under them, and must not take later ones for those.
func (s *Store) skip(ctx context.Context) error {
	return s.write(ctx, "skip sequences", func(t *tx) error {
		_, err := t.exec(`UPDATE tapnode_sequence SET value = value + $1 WHERE name = 'events'`, skipped)
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

// Read reads the events after cursor that the filter selects, in order, at most
// limit (1 to 1000). An empty cursor is before the oldest kept event.
func (s *Store) Read(ctx context.Context, cursor []byte, f Filter, limit int) ([]Event, error) {
	seq, ours, err := s.sequence(cursor)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	if !ours {
		seq = 0
	}
	args := []any{seq, min(max(limit, 1), maxRead)}
	where := in(&args, "type", f.Types) + in(&args, "instance", f.Instances)
	events, err := collect(ctx, s.db, s.scanEvent, `SELECT seq, id, type, instance, subject, correlation, data, time
		FROM tapnode_events WHERE seq > $1`+where+` ORDER BY seq LIMIT $2`, args...)
	return events, wrap("read events", err)
}

func (s *Store) scanEvent(row scanner) (Event, error) {
	var e Event
	var seq, at int64
	err := row.Scan(&seq, &e.ID, &e.Type, &e.Instance, &e.Subject, &e.Correlation, &e.Data, &at)
	e.Cursor, e.Time = s.cursor(seq), fromMillis(at)
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
