package outbox

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// stream is the events of one type and instance: a subscriber's filter selects all of a stream or
// none.
type stream struct{ kind, instance string }

// streamsKept is for how many streams Wanted caches its answer, at some 100 bytes each.
const streamsKept = 4096

// Sweep removes the events that all their subscribers acknowledged some time ago, then those that
// are too old or too many. Events that nobody has subscribed to do not count as acknowledged.
func (o *Outbox) Sweep(ctx context.Context, count bool) error {
	o.tail.forget() // frees its memory: it may not have been used since
	if o.wanted != nil {
		o.wanted.Forget() // subscribers that were silent too long have been removed
	}
	streams, err := sqldb.All(ctx, o.db, func(row sqldb.Scanner) (st stream, err error) {
		err = row.Scan(&st.kind, &st.instance)
		return st, err
	}, `SELECT DISTINCT type, instance FROM tapnode_events`)
	if err != nil {
		return sqldb.Wrap("list the event streams", err)
	}
	spare, err := o.spare(ctx, kinds(streams), count)
	if err != nil {
		return sqldb.Wrap("find the events that may go", err)
	}
	for _, st := range streams {
		err := o.removeEvents(ctx, func(t *sqldb.Tx) (string, []any, error) {
			acked, _, err := ackedBy(t, st)
			return `type = $1 AND instance = $2 AND seq <= $3`, []any{st.kind, st.instance, min(acked, spare[st.kind])}, err
		})
		if err != nil {
			return err
		}
	}
	cutoff := sqldb.Millis(o.now().Add(-o.opt.Keep))
	// By age first and then by sequence: with a single condition SQLite would read every event,
	// each minute, to find those few.
	err = o.removeEvents(ctx, func(*sqldb.Tx) (string, []any, error) {
		return `seq IN (SELECT seq FROM tapnode_events WHERE stored_at < $1 ORDER BY stored_at LIMIT $2)`, []any{cutoff, sqldb.SweepBatch}, nil
	})
	if err != nil {
		return err
	}
	if count { // each type separately: many events of one must not push out another's
		for _, kind := range kinds(streams) {
			err = o.removeEvents(ctx, func(*sqldb.Tx) (string, []any, error) { // sequences have gaps: see skip
				return `type = $1 AND seq <= (SELECT seq FROM tapnode_events WHERE type = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2)`, []any{kind, o.opt.Events}, nil
			})
			if err != nil {
				return err
			}
		}
	}
	// A floor is needed as long as a host may come back with a cursor below it. A stream whose
	// instance still exists keeps its one row for good.
	return o.db.WriteUnsynced(ctx, "forget streams that are gone", func(t *sqldb.Tx) error {
		_, err := t.Exec(`DELETE FROM tapnode_event_floors WHERE moved_at < $1 AND
			NOT EXISTS (SELECT 1 FROM tapnode_instances i WHERE i.name = tapnode_event_floors.instance)`,
			sqldb.Millis(o.now().Add(-o.opt.KeepSubscribers)))
		return err
	})
}

// spare returns for each type the sequence up to which acknowledged events may be removed, because
// they are old or, with count, too many.
func (o *Outbox) spare(ctx context.Context, kinds []string, count bool) (map[string]int64, error) {
	read := func(query string, args ...any) (seq int64, err error) {
		if err = o.db.Row(ctx, query, args, &seq); errors.Is(err, sqldb.ErrNotFound) {
			err = nil
		}
		return seq, err
	}
	aged, err := read(`SELECT seq FROM tapnode_events WHERE stored_at < $1 ORDER BY stored_at DESC, seq DESC LIMIT 1`, sqldb.Millis(o.now().Add(-o.opt.KeepAcked)))
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for _, kind := range kinds {
		out[kind] = aged
		if !count {
			continue
		}
		many, err := read(`SELECT seq FROM tapnode_events WHERE type = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2`, kind, o.opt.Acked)
		if err != nil {
			return nil, err
		}
		out[kind] = max(aged, many)
	}
	return out, nil
}

// kinds are the types of the streams.
func kinds(streams []stream) (list []string) {
	for _, st := range streams {
		if !slices.Contains(list, st.kind) {
			list = append(list, st.kind)
		}
	}
	return list
}

// ackedBy returns the sequence up to which all subscribers of the stream have acknowledged, and
// whether there is a subscriber.
func ackedBy(t *sqldb.Tx, st stream) (acked int64, wanted bool, err error) {
	subscribers, err := sqldb.All(t.Context(), t, scanSubscriber, `SELECT types, instances, acked FROM tapnode_subscribers
		WHERE types IN ($1, '[]') OR types LIKE '%,%'`, list([]string{st.kind}))
	for _, sub := range subscribers {
		if sub.filter.selects(st.kind, st.instance) && (!wanted || sub.acked < acked) {
			acked, wanted = sub.acked, true
		}
	}
	return acked, wanted, err
}

// Wanted tells then, as [sqldb.Tx.Then] does, whether somebody has subscribed to events of a type
// and instance.
func (o *Outbox) Wanted(t *sqldb.Tx, kind, instance string, then func(wanted bool) error) error {
	if o.wanted == nil {
		return readWanted(t, stream{kind, instance}, then)
	}
	wanted, ok, ticket := o.wanted.Get(stream{kind, instance})
	if ok {
		return then(wanted)
	}
	return readWanted(t, stream{kind, instance}, func(wanted bool) error {
		t.Committed(func() { o.wanted.Fill(stream{kind, instance}, wanted, ticket) })
		return then(wanted)
	})
}

func readWanted(t *sqldb.Tx, st stream, then func(wanted bool) error) error {
	// Most hosts have a subscriber to all instances, which is found without reading the others.
	var n int
	return t.Then(`SELECT count(*) FROM (SELECT 1 FROM tapnode_subscribers WHERE types = $1 AND instances = '[]' LIMIT 1) AS one`,
		[]any{list([]string{st.kind})}, func(row sqldb.Scanner) error { return row.Scan(&n) }, func(int64) error {
			if n > 0 {
				return then(true)
			}
			_, wanted, err := ackedBy(t, st)
			if err != nil {
				return err
			}
			return then(wanted)
		})
}

// subscribed clears the answers that Wanted caches, because the write changes the subscriptions.
func (o *Outbox) subscribed(t *sqldb.Tx) {
	if o.wanted != nil {
		o.wanted.Forget()
		t.Committed(o.wanted.Forget)
	}
}

// removeEvents removes the events that which selects, oldest first and in batches, and raises the
// floors of their streams in the same transactions.
func (o *Outbox) removeEvents(ctx context.Context, which func(*sqldb.Tx) (where string, args []any, err error)) error {
	for n := sqldb.SweepBatch; n == sqldb.SweepBatch; {
		err := o.db.WriteUnsynced(ctx, "remove old events", func(t *sqldb.Tx) error {
			where, args, err := which(t)
			if err != nil {
				return err
			}
			old, err := sqldb.All(t.Context(), t, func(row sqldb.Scanner) (e placed, err error) {
				err = row.Scan(&e.seq, &e.kind, &e.instance)
				return e, err
			}, `SELECT seq, type, instance FROM tapnode_events WHERE `+where+` ORDER BY seq LIMIT `+strconv.Itoa(sqldb.SweepBatch), args...)
			if err != nil {
				return err
			}
			n = len(old)
			t.Committed(o.tail.forget)
			return freeEvents(t, old, sqldb.Millis(o.now()))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// placed is an event's place in the log, and its stream.
type placed struct {
	seq int64
	stream
}

func freeEvents(t *sqldb.Tx, old []placed, now int64) error {
	floors := make(map[stream]int64)
	for _, e := range old {
		floors[e.stream] = e.seq
		if _, err := t.Exec(`DELETE FROM tapnode_events WHERE seq = $1`, e.seq); err != nil {
			return err
		}
	}
	for st, seq := range floors {
		_, err := t.Exec(`INSERT INTO tapnode_event_floors (type, instance, seq, moved_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (type, instance) DO UPDATE SET seq = excluded.seq, moved_at = excluded.moved_at
			WHERE tapnode_event_floors.seq < excluded.seq`, st.kind, st.instance, seq, now)
		if err != nil {
			return err
		}
	}
	return nil
}
