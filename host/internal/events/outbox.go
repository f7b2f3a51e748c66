package events

import (
	"context"
	"slices"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	// keepEvents is how long events stay in the outbox, for those who read it by position.
	keepEvents = 3 * 24 * time.Hour
	// maxEvents and maxBytes bound the outbox; the oldest events go first.
	maxEvents = 500_000
	maxBytes  = 1 << 30
)

// Filter says which events somebody wants. An empty list is all.
type Filter struct {
	Types     []string
	Instances []string
}

// Wants says whether an event passes.
func (f Filter) Wants(ev Event) bool {
	return (len(f.Types) == 0 || slices.Contains(f.Types, ev.Type)) && (len(f.Instances) == 0 || slices.Contains(f.Instances, ev.Instance))
}

// Page is a piece of the outbox.
type Page struct {
	Events []Event
	// Next is the position to go on after. More says that there was more than was looked at.
	Next uint64
	More bool
	// Gone is up to where events were removed, if that is after the one asked for: there may have
	// been some that this page should have had.
	Gone uint64
}

// Read gives the events after a position that a filter wants, in order, of at most so many that
// it looks at.
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
		p.Gone = gone // what was found may be from before that, so read again
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

// Newest is the position of the newest event: who reads after it sees what comes.
func (s *Service) Newest(ctx context.Context) (uint64, error) {
	newest, _, err := s.box.edges(ctx)
	return newest, err
}

// Told is closed when there is something new to read, as far as this host knows: what another
// host has stored is seen by looking every [Service.LookEvery].
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

// after reads the events after a position, of one instance or ("") of all.
func (o outbox) after(ctx context.Context, position uint64, instance string, limit int) ([]Event, error) {
	query, args := `SELECT `+columns+` FROM engine_events WHERE seq > $1 ORDER BY seq LIMIT $2`, []any{int64(position), limit}
	if instance != "" {
		query = `SELECT ` + columns + ` FROM engine_events WHERE instance = $3 AND seq > $1 ORDER BY seq LIMIT $2`
		args = append(args, instance)
	}
	found, err := sqldb.All(ctx, o.db, scanEvent, query, args...)
	return found, sqldb.Wrap("read the outbox", err)
}

// at is the event at a position; sqldb.ErrNotFound when it is gone.
func (o outbox) at(ctx context.Context, position uint64) (Event, error) {
	ev, err := sqldb.One(ctx, o.db, scanEvent, `SELECT `+columns+` FROM engine_events WHERE seq = $1`, int64(position))
	return ev, sqldb.Wrap("read the outbox", err)
}

// edges are the newest position there can be, and the newest that was removed.
func (o outbox) edges(ctx context.Context) (newest, gone uint64, err error) {
	err = o.db.Row(ctx, `SELECT seq, events_gone FROM engine_totals WHERE id = 1`, nil, &newest, &gone)
	return newest, gone, sqldb.Wrap("read the outbox", err)
}

// head is what has to be known of an event to wake those who want it.
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

// trimming says what may go from the outbox.
type trimming struct {
	floor  uint64    // nobody needs what is up to it
	before time.Time // from when on it stays, unless the outbox is over its limits
	events int
	bytes  int64
	late   []laggard // who needs what is above floor
}

// laggard is a webhook that has not got everything yet.
type laggard struct {
	webhook, instance string
	position          uint64
}

// trim removes the oldest events. It returns how many above the floor went; the webhooks that
// had not got them count them, those that they did not want included.
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

// removable finds how far a batch of the oldest events may go.
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
