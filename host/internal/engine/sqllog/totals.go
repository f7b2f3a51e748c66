package sqllog

import (
	"errors"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// total is how many runs there are, and the bytes of their states.
type total struct{ runs, bytes int64 }

// full says whether another run has no room unless one that is over is removed.
func (g *group) full(t *sqldb.Tx) (bool, error) {
	err := g.look(t)
	return g.have.runs >= int64(g.log.limits.Runs) || g.have.bytes > g.log.limits.Bytes, err
}

// makeRoom removes runs that are over, the one that was over first before the others, until there
// is room for another. It refuses when there are no such runs.
func (l *Log) makeRoom(t *sqldb.Tx, g *group) (refused, err error) {
	for {
		full, err := g.full(t)
		if err == nil && full {
			err = g.flush(t) // so that the new runs of the group can be removed, too
		}
		if err != nil || !full {
			return nil, err
		}
		var oldest string
		var bytes int64
		err = t.Row(`SELECT id, bytes FROM engine_runs WHERE ended > 0 ORDER BY ended_at, ended LIMIT 1`, nil, &oldest, &bytes)
		if errors.Is(err, sqldb.ErrNotFound) {
			return engine.ErrFull, nil
		}
		if err == nil {
			err = g.forget(t, oldest, bytes)
		}
		if err != nil {
			return nil, err
		}
	}
}

// forget removes a run with all that belongs to it.
func (g *group) forget(t *sqldb.Tx, run string, bytes int64) error {
	if err := forgetTerms(t, run); err != nil {
		return err
	}
	for _, query := range [...]string{
		`DELETE FROM engine_tasks WHERE run = $1`,
		`DELETE FROM engine_waits WHERE run = $1`,
		`DELETE FROM engine_steps WHERE run = $1`,
		`DELETE FROM engine_runs WHERE id = $1`,
	} {
		if _, err := t.Exec(query, run); err != nil {
			return err
		}
	}
	_, err := g.count(t, 0, total{-1, -bytes})
	return err
}
