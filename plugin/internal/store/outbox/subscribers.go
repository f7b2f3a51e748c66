package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Subscribe registers a host's subscription, so that the events it wants are kept until it
// acknowledges them. It returns the cursor to read from. resumed is false if events that the filter
// selects are gone since the host's cursor. It is also false if the cursor is of another database,
// or of a later state of this one that an older copy has replaced; then reading starts at the
// oldest kept event. An empty cursor resumes where the subscriber's acknowledgements ended or, for
// a new subscriber, after the events that the others who want the same have acknowledged. Errors:
// ErrCursor, sqldb.ErrLimit.
func (o *Outbox) Subscribe(ctx context.Context, name string, f Filter, cursor []byte) (from []byte, resumed bool, err error) {
	if name == "" {
		return nil, false, errors.New("subscribe: the subscriber has no name")
	}
	given, ours, err := o.position(cursor)
	if err != nil {
		return nil, false, fmt.Errorf("subscribe: %w", err)
	}
	var at position
	types, instances := list(f.Types), list(f.Instances)
	err = o.db.Write(ctx, "subscribe", func(t *sqldb.Tx) error {
		o.subscribed(t)
		var count, acked int64
		known := true // the cursor is of this database
		err := t.Row(`SELECT count(*), COALESCE(max(acked), 0) FROM tapnode_subscribers WHERE name = $1`, []any{name}, &count, &acked)
		if err != nil {
			return err
		}
		if err := o.room(t, count == 0); err != nil {
			return err
		}
		switch {
		case len(cursor) > 0:
			later, err := newer(t, given.seq)
			if err != nil {
				return err
			}
			if at, known = given, ours && !later; !known {
				at = position{}
			}
		case count > 0:
			at.seq = acked
		default:
			if at.seq, err = ackedByAll(t, f); err != nil {
				return err
			}
		}
		_, err = t.Exec(`INSERT INTO tapnode_subscribers (name, types, instances, acked, seen_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (name) DO UPDATE SET types = excluded.types, instances = excluded.instances,
				acked = excluded.acked, seen_at = excluded.seen_at`, name, types, instances, at.floor(), sqldb.Millis(o.now()))
		if err != nil {
			return err
		}
		gap, err := o.gap(t, f, at)
		resumed = known && !gap
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return o.cursor(at), resumed, nil
}

// room refuses one subscriber too many.
func (o *Outbox) room(t *sqldb.Tx, isNew bool) error {
	if !isNew {
		return nil
	}
	var count int
	if err := t.Row(`SELECT count(*) FROM tapnode_subscribers`, nil, &count); err != nil {
		return err
	}
	if count >= o.opt.Subscribers {
		return fmt.Errorf("%w: %d subscribers: unsubscribe one", sqldb.ErrLimit, count)
	}
	return nil
}

// newer reports whether no event has had this sequence yet, which means that the database is an
// older copy of the one that issued it.
func newer(t *sqldb.Tx, seq int64) (bool, error) {
	var last int64
	err := t.Row(`SELECT COALESCE(max(value), 0) FROM tapnode_sequence WHERE name = 'events'`, nil, &last)
	return seq > last, err
}

// ackedByAll returns the sequence up to which everybody who wants events that the filter selects
// has acknowledged them; 0 if nobody wants all of them. Acknowledged events are kept only for
// subscribers that have had them.
func ackedByAll(t *sqldb.Tx, f Filter) (acked int64, err error) {
	all, err := sqldb.All(t.Context(), t, scanSubscriber, `SELECT types, instances, acked FROM tapnode_subscribers`)
	if err != nil {
		return 0, err
	}
	covered, first := false, true
	for _, sub := range all {
		if !overlap(sub.filter.Types, f.Types) || !overlap(sub.filter.Instances, f.Instances) {
			continue
		}
		covered = covered || covers(sub.filter.Types, f.Types) && covers(sub.filter.Instances, f.Instances)
		if first || sub.acked < acked {
			acked, first = sub.acked, false
		}
	}
	if !covered {
		return 0, nil
	}
	return acked, nil
}

// overlap and covers compare two lists of a filter; an empty one is everything.
func overlap(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(b, func(s string) bool { return slices.Contains(a, s) })
}

func covers(a, b []string) bool {
	return len(a) == 0 || len(b) > 0 && !slices.ContainsFunc(b, func(s string) bool { return !slices.Contains(a, s) })
}

// gap reports whether an event that the filter selects was removed after a position.
// A new subscriber (seq 0) has missed nothing.
func (o *Outbox) gap(t *sqldb.Tx, f Filter, at position) (bool, error) {
	if at.seq == 0 {
		return false, nil
	}
	args := []any{at.floor()}
	where := in(&args, "type", f.Types) + in(&args, "instance", f.Instances)
	floors, err := sqldb.All(t.Context(), t, func(row sqldb.Scanner) (p place, err error) {
		err = row.Scan(&p.instance, &p.seq)
		return p, err
	}, `SELECT instance, seq FROM tapnode_event_floors WHERE seq > $1`+where, args...)
	return slices.ContainsFunc(floors, func(p place) bool { return p.seq > at.of(p.instance) }), err
}

// Ack records that the subscriber has stored everything up to cursor. A cursor before an earlier
// one changes nothing. If a power cut loses an acknowledgement, the events are delivered again.
// Errors: ErrCursor, and sqldb.ErrNotFound for a subscriber that never subscribed or was silent for
// longer than the retention: it has to subscribe again, with its cursor.
func (o *Outbox) Ack(ctx context.Context, name string, cursor []byte) error {
	at, ours, err := o.position(cursor)
	if err == nil && !ours {
		err = ErrCursor
	}
	if err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return o.db.WriteSoon(ctx, "acknowledge", func(t *sqldb.Tx) error {
		n, err := t.Exec(`UPDATE tapnode_subscribers SET
			acked = CASE WHEN acked < $2 THEN $2 ELSE acked END, seen_at = $3 WHERE name = $1`, name, at.floor(), sqldb.Millis(o.now()))
		if err == nil && n == 0 {
			err = sqldb.ErrNotFound
		}
		return err
	})
}

// Unsubscribe removes a subscriber: no event is kept for it any more.
func (o *Outbox) Unsubscribe(ctx context.Context, name string) error {
	return o.db.Write(ctx, "unsubscribe", func(t *sqldb.Tx) error {
		o.subscribed(t)
		n, err := t.Exec(`DELETE FROM tapnode_subscribers WHERE name = $1`, name)
		if err == nil && n == 0 {
			err = sqldb.ErrNotFound
		}
		return err
	})
}

// Only removes the subscribers whose names begin with a prefix and are not among keep: no event is
// kept for them any more.
func (o *Outbox) Only(ctx context.Context, prefix string, keep []string) error {
	known, err := sqldb.All(ctx, o.db, func(row sqldb.Scanner) (name string, err error) {
		err = row.Scan(&name)
		return name, err
	}, `SELECT name FROM tapnode_subscribers WHERE substr(name, 1, $2) = $1`, prefix, utf8.RuneCountInString(prefix))
	if err != nil {
		return sqldb.Wrap("list the subscribers", err)
	}
	gone := slices.DeleteFunc(known, func(name string) bool { return slices.Contains(keep, name) })
	if len(gone) == 0 {
		return nil
	}
	return o.db.WriteUnsynced(ctx, "forget subscribers", func(t *sqldb.Tx) error {
		o.subscribed(t)
		for _, name := range gone {
			if _, err := t.Exec(`DELETE FROM tapnode_subscribers WHERE name = $1`, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// subscriber is a row of the table, with its filter read.
type subscriber struct {
	filter Filter
	acked  int64
}

func scanSubscriber(row sqldb.Scanner) (subscriber, error) {
	var sub subscriber
	var types, instances string
	if err := row.Scan(&types, &instances, &sub.acked); err != nil {
		return sub, err
	}
	err := errors.Join(json.Unmarshal([]byte(types), &sub.filter.Types), json.Unmarshal([]byte(instances), &sub.filter.Instances))
	return sub, err
}

// selects reports whether the filter selects events of a stream.
func (f Filter) selects(kind, instance string) bool {
	return (len(f.Types) == 0 || slices.Contains(f.Types, kind)) &&
		(len(f.Instances) == 0 || slices.Contains(f.Instances, instance))
}

// list is a JSON array; strings always marshal.
func list(v []string) string {
	if len(v) == 0 {
		return "[]"
	}
	b, _ := json.Marshal(v)
	return string(b)
}
