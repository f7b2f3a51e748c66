package store

import (
	"context"
	"time"
)

// Pause is a time during which an instance writes only to people who wrote first.
type Pause struct {
	Instance string
	Reason   string // each has at most one pause
	Since    time.Time
	Until    time.Time
}

// PutPause stores a pause in place of the one for the same reason.
func (s *Store) PutPause(ctx context.Context, p Pause) error {
	return s.write(ctx, "store the pause", func(t *tx) error {
		_, err := t.exec(`INSERT INTO tapnode_pauses (instance, reason, since, until)
			SELECT name, $2, $3, $4 FROM tapnode_instances WHERE name = $1
			ON CONFLICT (instance, reason) DO UPDATE SET since = excluded.since, until = excluded.until`,
			p.Instance, p.Reason, millis(p.Since), millis(p.Until))
		return err
	})
}

// EndPause ends an instance's pause for a reason; "" is every reason.
func (s *Store) EndPause(ctx context.Context, instance, reason string) error {
	return s.write(ctx, "end the pause", func(t *tx) error {
		_, err := t.exec(`DELETE FROM tapnode_pauses WHERE instance = $1 AND $2 IN ('', reason)`, instance, reason)
		return err
	})
}

// Pauses are those that have not ended, of one instance or, with "", of all; of each
// instance the one that ends last comes first.
func (s *Store) Pauses(ctx context.Context, instance string) ([]Pause, error) {
	found, err := collect(ctx, s.db, func(row scanner) (p Pause, err error) {
		var since, until int64
		err = row.Scan(&p.Instance, &p.Reason, &since, &until)
		p.Since, p.Until = fromMillis(since), fromMillis(until)
		return p, err
	}, `SELECT instance, reason, since, until FROM tapnode_pauses WHERE until > $1 AND $2 IN ('', instance)
		ORDER BY instance, until DESC`, millis(s.now()), instance)
	return found, wrap("read the pauses", err)
}
