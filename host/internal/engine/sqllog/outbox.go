package sqllog

import (
	"context"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// Told returns a channel that is closed when this process puts something into the outbox after the
// call. Package events reads the outbox.
func (l *Log) Told() <-chan struct{} { return l.outgoing.next() }

// Tell puts events into the outbox behind everything that this process is already storing. wait
// returns when they are stored: they then survive a crash of the process, and a crash of the
// machine with the next Append. Events told later come after them, and no later Append is on the
// disk without them.
func (l *Log) Tell(ctx context.Context, out ...engine.Outgoing) (wait func() error) {
	committed := l.db.Begin(ctx, "tell events", func(t *sqldb.Tx) error {
		g, err := l.group(t)
		if err != nil {
			return err
		}
		return g.tell(t, nil, out)
	})
	return func() error {
		err := committed()
		if err == nil {
			l.outgoing.wake()
		}
		return err
	}
}

// toldRow is a row of engine_events.
type toldRow struct {
	of  *change // may be nil
	seq int64
	now int64
	engine.Outgoing
}

// tell numbers events in the order of the commits.
func (g *group) tell(t *sqldb.Tx, of *change, out []engine.Outgoing) error {
	if len(out) == 0 {
		return nil
	}
	seq, err := g.count(t, len(out), total{})
	for i, ev := range out {
		g.told = append(g.told, toldRow{of, seq - int64(len(out)-1-i), sqldb.Millis(g.log.now()), ev})
	}
	return err
}

var putEvents = newRows(`INSERT INTO engine_events (seq, id, type, instance, run, at, stored_at, data) VALUES`, 8, `ON CONFLICT (id) DO NOTHING`)

// putTold writes the events of told. An event that exists already stays as it is.
func (g *group) putTold(t *sqldb.Tx) error {
	var kept []toldRow
	for _, r := range g.told {
		if r.of == nil || r.of.refused == nil {
			kept = append(kept, r)
		}
	}
	g.told = nil
	return putEvents.each(t, len(kept), func(i int) []any {
		r := kept[i]
		return []any{r.seq, r.ID, r.Type, r.Instance, r.Run, sqldb.Millis(r.Time), r.now, []byte(r.Data)}
	}, func(t *sqldb.Tx, first, n int, added int64) error {
		if added < int64(n) { // some existed already: only the new ones have the sequences given out here
			var bytes int64
			err := t.Row(`SELECT coalesce(sum(length(data)), 0) FROM engine_events WHERE seq BETWEEN $1 AND $2`, []any{kept[first].seq, kept[first+n-1].seq}, &bytes)
			g.bytes += bytes
			return err
		}
		for _, r := range kept[first : first+n] {
			g.bytes += int64(len(r.Data))
		}
		return nil
	})
}
