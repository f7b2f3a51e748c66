package store

import (
	"context"
	"strconv"
)

// stream is the events of one type and instance: what a subscriber's filter takes
// or leaves as a whole.
type stream struct{ kind, instance string }

// sweepEvents frees what all who want it have acknowledged, then what is too old
// or too much. Nothing is freed while nobody has subscribed to it.
func (s *Store) sweepEvents(ctx context.Context, count bool) error {
	streams, err := collect(ctx, s.db, func(row scanner) (st stream, err error) {
		return st, row.Scan(&st.kind, &st.instance)
	}, `SELECT DISTINCT type, instance FROM tapnode_events`)
	if err != nil {
		return wrap("list the event streams", err)
	}
	for _, st := range streams {
		err := s.removeEvents(ctx, func(t *tx) (string, []any, error) {
			acked, _, err := ackedBy(t, st)
			return `type = $1 AND instance = $2 AND seq <= $3`, []any{st.kind, st.instance, acked}, err
		})
		if err != nil {
			return err
		}
	}
	cutoff := millis(s.now().Add(-s.opt.Retention.Events))
	// By their age and then by their number: in one go SQLite would read every event,
	// each minute, to find those few.
	err = s.removeEvents(ctx, func(*tx) (string, []any, error) {
		return `seq IN (SELECT seq FROM tapnode_events WHERE stored_at < $1 ORDER BY stored_at LIMIT $2)`, []any{cutoff, sweepBatch}, nil
	})
	if err != nil {
		return err
	}
	if count { // sequences have gaps: see skip
		err = s.removeEvents(ctx, func(*tx) (string, []any, error) {
			return `seq <= (SELECT seq FROM tapnode_events ORDER BY seq DESC LIMIT 1 OFFSET $1)`, []any{s.opt.Limits.Events}, nil
		})
		if err != nil {
			return err
		}
	}
	// A floor is needed as long as a cursor below it may come back, and a stream
	// that still exists has one row for good.
	return s.writeUnsynced(ctx, "forget streams that are gone", func(t *tx) error {
		_, err := t.exec(`DELETE FROM tapnode_event_floors WHERE moved_at < $1 AND
			NOT EXISTS (SELECT 1 FROM tapnode_instances i WHERE i.name = tapnode_event_floors.instance)`,
			millis(s.now().Add(-s.opt.Retention.Subscribers)))
		return err
	})
}

// ackedBy is the sequence that all subscribers of the stream have acknowledged, and
// whether there is one.
func ackedBy(t *tx, st stream) (acked int64, wanted bool, err error) {
	rows, err := t.sql.QueryContext(t.ctx, `SELECT types, instances, acked FROM tapnode_subscribers`)
	if err != nil {
		return 0, false, err
	}
	defer rows.Close()
	for rows.Next() {
		sub, err := scanSubscriber(rows)
		if err != nil {
			return 0, false, err
		}
		if sub.filter.selects(st.kind, st.instance) && (!wanted || sub.acked < acked) {
			acked, wanted = sub.acked, true
		}
	}
	return acked, wanted, rows.Err()
}

// removeEvents removes the events that which selects, oldest first and in
// batches, and raises their streams' floors in the same transactions.
func (s *Store) removeEvents(ctx context.Context, which func(*tx) (where string, args []any, err error)) error {
	for n := sweepBatch; n == sweepBatch; {
		err := s.writeUnsynced(ctx, "remove old events", func(t *tx) error {
			n = 0
			where, args, err := which(t)
			if err != nil {
				return err
			}
			floors := make(map[stream]int64)
			rows, err := t.sql.QueryContext(t.ctx, `SELECT seq, type, instance FROM tapnode_events WHERE `+where+` ORDER BY seq LIMIT `+strconv.Itoa(sweepBatch), args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			var seqs []int64
			for ; rows.Next(); n++ {
				var st stream
				var seq int64
				if err := rows.Scan(&seq, &st.kind, &st.instance); err != nil {
					return err
				}
				floors[st], seqs = seq, append(seqs, seq)
			}
			if err := rows.Err(); err != nil {
				return err
			}
			return freeEvents(t, seqs, floors, millis(s.now()))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func freeEvents(t *tx, seqs []int64, floors map[stream]int64, now int64) error {
	for _, seq := range seqs {
		if _, err := t.exec(`DELETE FROM tapnode_events WHERE seq = $1`, seq); err != nil {
			return err
		}
	}
	for st, seq := range floors {
		_, err := t.exec(`INSERT INTO tapnode_event_floors (type, instance, seq, moved_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (type, instance) DO UPDATE SET seq = excluded.seq, moved_at = excluded.moved_at
			WHERE tapnode_event_floors.seq < excluded.seq`, st.kind, st.instance, seq, now)
		if err != nil {
			return err
		}
	}
	return nil
}
