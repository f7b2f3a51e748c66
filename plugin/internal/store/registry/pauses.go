package registry

import (
	"context"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Pause is a time during which an instance writes only to people who wrote first.
type Pause struct {
	Instance string
	Reason   string // each has at most one pause
	Since    time.Time
	Until    time.Time
}

// PutPause stores a pause in place of the one for the same reason.
func (r *Registry) PutPause(ctx context.Context, p Pause) error {
	return r.db.Write(ctx, "store the pause", func(t *sqldb.Tx) error {
		_, err := t.Exec(`INSERT INTO tapnode_pauses (instance, reason, since, until)
			SELECT name, $2, $3, $4 FROM tapnode_instances WHERE name = $1
			ON CONFLICT (instance, reason) DO UPDATE SET since = excluded.since, until = excluded.until`,
			p.Instance, p.Reason, sqldb.Millis(p.Since), sqldb.Millis(p.Until))
		return err
	})
}

// EndPause ends an instance's pause for a reason; "" is every reason.
func (r *Registry) EndPause(ctx context.Context, instance, reason string) error {
	return r.db.Write(ctx, "end the pause", func(t *sqldb.Tx) error {
		_, err := t.Exec(`DELETE FROM tapnode_pauses WHERE instance = $1 AND $2 IN ('', reason)`, instance, reason)
		return err
	})
}

// Pauses returns the pauses that have not ended, of one instance or, with "", of all. For each
// instance the one that ends last comes first.
func (r *Registry) Pauses(ctx context.Context, instance string) ([]Pause, error) {
	found, err := sqldb.All(sqldb.Apart(ctx), r.db, func(row sqldb.Scanner) (p Pause, err error) {
		var since, until int64
		err = row.Scan(&p.Instance, &p.Reason, &since, &until)
		p.Since, p.Until = sqldb.Time(since), sqldb.Time(until)
		return p, err
	}, `SELECT instance, reason, since, until FROM tapnode_pauses WHERE until > $1 AND $2 IN ('', instance)
		ORDER BY instance, until DESC`, sqldb.Millis(r.now()), instance)
	return found, sqldb.Wrap("read the pauses", err)
}
