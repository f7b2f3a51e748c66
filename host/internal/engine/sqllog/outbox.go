package sqllog

import (
	"context"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// Told is closed when something was put into the outbox in this process after the call. Package
// events reads the outbox.
func (l *Log) Told() <-chan struct{} { return l.outgoing.next() }

// Tell puts events into the outbox behind everything that this process is storing already, and
// returns how to wait for that: it survives a crash of the process, and one of the machine with
// the next Append. What is told later is behind it, and what is appended later is not on the
// disk without it.
func (l *Log) Tell(ctx context.Context, out ...engine.Outgoing) (wait func() error) {
	committed := l.db.Begin(ctx, "tell events", l.change(func(t *sqldb.Tx) error { return putOutgoing(t, out, sqldb.Millis(l.now())) }))
	return func() error {
		err := committed()
		if err == nil {
			l.outgoing.wake()
		}
		return err
	}
}

// putOutgoing puts events into the outbox, numbered in the order of the commits. One that is
// there already stays as it is.
func putOutgoing(t *sqldb.Tx, out []engine.Outgoing, now int64) error {
	if len(out) == 0 {
		return nil
	}
	var seq, bytes int64
	if err := t.Row(`UPDATE engine_totals SET seq = seq + $1 WHERE id = 1 RETURNING seq`, []any{len(out)}, &seq); err != nil {
		return err
	}
	for i, ev := range out {
		n, err := t.Exec(`INSERT INTO engine_events (seq, id, type, instance, run, at, stored_at, data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (id) DO NOTHING`, seq-int64(len(out)-1-i), ev.ID, ev.Type, ev.Instance, ev.Run, sqldb.Millis(ev.Time), now, []byte(ev.Data))
		if err != nil {
			return err
		}
		bytes += n * int64(len(ev.Data))
	}
	_, err := t.Exec(`UPDATE engine_totals SET event_bytes = event_bytes + $1 WHERE id = 1`, bytes)
	return err
}
