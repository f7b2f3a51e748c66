package events

import (
	"context"
	"slices"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	// keepEvents is how long events stay in the outbox, for readers that read it by position.
	keepEvents = 3 * 24 * time.Hour
	// maxEvents and maxBytes bound the outbox; the oldest events are removed first.
	maxEvents = 500_000
	maxBytes  = 1 << 30
)

// Filter selects events. An empty list means all.
type Filter struct {
	Types     []string
	Instances []string
}

// Wants reports whether an event passes the filter.
func (f Filter) Wants(ev Event) bool {
	return (len(f.Types) == 0 || slices.Contains(f.Types, ev.Type)) && (len(f.Instances) == 0 || slices.Contains(f.Instances, ev.Instance))
}

// Page is what one [Service.Read] found in the outbox.
type Page struct {
	Events []Event
	// Next is the position to continue after. More says that the limit was reached, so that there
	// may be more events.
	Next uint64
	More bool
	// Gone is the newest position that was removed, if it is after the requested one: events that
	// belong on this page may be missing. Otherwise it is 0.
	Gone uint64
}

// Read returns the events after a position that pass a filter, in order. It looks at no more than
// limit events, including those that do not pass.
func (s *Service) Read(ctx context.Context, after uint64, f Filter, limit int) (Page, error) {
	instance := ""
	if len(f.Instances) == 1 {
		instance = f.Instances[0]
	}
	p := Page{Next: after}
	var found []Event
	for {
		var err error
		if found, err = s.box.after(ctx, after, instance, limit); err != nil {
			return Page{}, err
		}
		_, gone, err := s.box.edges(ctx)
		if err != nil {
			return Page{}, err
		}
		if gone <= after || gone == p.Gone {
			break
		}
		p.Gone = gone // events may have been removed before the read above or during it, so read again
	}
	p.More = len(found) == limit
	for _, ev := range found {
		p.Next = ev.Position
		if f.Wants(ev) {
			p.Events = append(p.Events, ev)
		}
	}
	return p, nil
}

// Newest is the position of the newest event. A reader that starts after it sees only new events.
func (s *Service) Newest(ctx context.Context) (uint64, error) {
	newest, _, err := s.box.edges(ctx)
	return newest, err
}

// Told returns a channel that is closed when this process has stored new events. To see the events
// that other hosts store, read the outbox every [Service.LookEvery].
func (s *Service) Told() <-chan struct{} { return s.opt.Told() }

// outbox reads the events that package sqllog stores.
type outbox struct{ db *sqldb.DB }

const columns = `seq, id, type, instance, run, at, stored_at, data`

func scanEvent(row sqldb.Scanner) (ev Event, err error) {
	var at, stored int64
	var data []byte
	err = row.Scan(&ev.Position, &ev.ID, &ev.Type, &ev.Instance, &ev.Run, &at, &stored, &data)
	ev.Time, ev.Stored, ev.Data = sqldb.Time(at), sqldb.Time(stored), data
	return ev, err
}

// after reads the events after a position: of one instance, or of all if instance is "".
func (o outbox) after(ctx context.Context, position uint64, instance string, limit int) ([]Event, error) {
	query, args := `SELECT `+columns+` FROM engine_events WHERE seq > $1 ORDER BY seq LIMIT $2`, []any{int64(position), limit}
	if instance != "" {
		query = `SELECT ` + columns + ` FROM engine_events WHERE instance = $3 AND seq > $1 ORDER BY seq LIMIT $2`
		args = append(args, instance)
	}
	found, err := sqldb.All(ctx, o.db, scanEvent, query, args...)
	return found, sqldb.Wrap("read the outbox", err)
}

// at reads the event at a position. It fails with sqldb.ErrNotFound if the event was removed.
func (o outbox) at(ctx context.Context, position uint64) (Event, error) {
	ev, err := sqldb.One(ctx, o.db, scanEvent, `SELECT `+columns+` FROM engine_events WHERE seq = $1`, int64(position))
	return ev, sqldb.Wrap("read the outbox", err)
}

// edges returns the newest position that was given out, and the newest that was removed.
func (o outbox) edges(ctx context.Context) (newest, gone uint64, err error) {
	err = o.db.Row(ctx, `SELECT seq, events_gone FROM engine_totals WHERE id = 1`, nil, &newest, &gone)
	return newest, gone, sqldb.Wrap("read the outbox", err)
}

// head is the part of an event that decides which senders to wake.
type head struct {
	position uint64
	instance string
}

func (o outbox) heads(ctx context.Context, after uint64, limit int) ([]head, error) {
	found, err := sqldb.All(ctx, o.db, func(row sqldb.Scanner) (h head, err error) {
		err = row.Scan(&h.position, &h.instance)
		return h, err
	}, `SELECT seq, instance FROM engine_events WHERE seq > $1 ORDER BY seq LIMIT $2`, int64(after), limit)
	return found, sqldb.Wrap("read the outbox", err)
}

// trimming says which events may be removed from the outbox.
type trimming struct {
	floor  uint64    // no webhook needs the events up to this position
	before time.Time // newer events stay, unless the outbox is over its limits
	events int
	bytes  int64
	late   []laggard // webhooks that still need events, none of them up to floor
}

// laggard is a webhook that still needs events after a position: of one instance, or of all ("").
type laggard struct {
	webhook, instance string
	position          uint64
}

// trim removes the oldest events. It returns how many events above the floor it removed. Each
// webhook that had not got them yet counts them as lost, including those of a type it does not want.
func (o outbox) trim(ctx context.Context, t trimming) (lost int, err error) {
	for more := true; more && err == nil; {
		above := 0
		err = o.db.WriteUnsynced(ctx, "remove old events", func(tx *sqldb.Tx) (err error) {
			var last uint64
			var n int
			above = 0
			if last, n, more, err = t.removable(tx); err != nil || n == 0 {
				return err
			}
			above, err = t.remove(tx, last)
			return err
		})
		lost += above
	}
	return lost, err
}

// removable returns the position of the last event that may be removed, the number of events up to
// it, at most a batch, and whether there may be more.
func (t trimming) removable(tx *sqldb.Tx) (last uint64, n int, more bool, err error) {
	var count int
	var size int64
	if err = tx.Row(`SELECT (SELECT count(*) FROM engine_events), event_bytes FROM engine_totals WHERE id = 1`, nil, &count, &size); err != nil {
		return 0, 0, false, err
	}
	type row struct {
		seq    uint64
		stored int64
		size   int64
	}
	oldest, err := sqldb.All(tx.Context(), tx, func(s sqldb.Scanner) (r row, err error) {
		err = s.Scan(&r.seq, &r.stored, &r.size)
		return r, err
	}, `SELECT seq, stored_at, length(data) FROM engine_events ORDER BY seq LIMIT $1`, sqldb.SweepBatch)
	for _, r := range oldest {
		old := r.stored < sqldb.Millis(t.before) && r.seq <= t.floor
		if !old && count <= t.events && size <= t.bytes {
			break
		}
		last, n, count, size = r.seq, n+1, count-1, size-r.size
	}
	return last, n, n == sqldb.SweepBatch, err
}

func (t trimming) remove(tx *sqldb.Tx, last uint64) (above int, err error) {
	for _, l := range t.late {
		if l.position >= last {
			continue
		}
		if _, err := tx.Exec(`UPDATE engine_webhooks SET lost = lost + (SELECT count(*) FROM engine_events
			WHERE seq > $2 AND seq <= $3 AND (instance = $4 OR $4 = '')) WHERE id = $1`, l.webhook, int64(l.position), int64(last), l.instance); err != nil {
			return 0, err
		}
	}
	var size int64
	err = tx.Row(`SELECT coalesce(sum(length(data)), 0), count(CASE WHEN seq > $2 THEN 1 END) FROM engine_events WHERE seq <= $1`, []any{int64(last), int64(t.floor)}, &size, &above)
	if err == nil {
		_, err = tx.Exec(`DELETE FROM engine_events WHERE seq <= $1`, int64(last))
	}
	if err == nil {
		_, err = tx.Exec(`UPDATE engine_totals SET event_bytes = event_bytes - $1, events_gone = $2 WHERE id = 1`, size, int64(last))
	}
	return above, err
}
