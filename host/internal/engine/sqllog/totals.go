package sqllog

import (
	"errors"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// total is how many runs there are, and the bytes of their states.
type total struct{ runs, bytes int64 }

// count takes the next n sequences, adds to the totals, and returns the last of the
// sequences.
func count(t *sqldb.Tx, n int, grown total) (seq int64, err error) {
	err = t.Row(`UPDATE engine_totals SET seq = seq + $1, runs = runs + $2, bytes = bytes + $3 WHERE id = 1 RETURNING seq`,
		[]any{n, grown.runs, grown.bytes}, &seq)
	return seq, err
}

// makeRoom forgets runs that are over, over first first, until there is room for another.
// Without such runs it refuses.
func (l *Log) makeRoom(t *sqldb.Tx) (refused, err error) {
	var have total
	if err := t.Row(`SELECT runs, bytes FROM engine_totals WHERE id = 1`, nil, &have.runs, &have.bytes); err != nil {
		return nil, err
	}
	for have.runs >= int64(l.limits.Runs) || have.bytes > l.limits.Bytes {
		var oldest string
		var bytes int64
		err := t.Row(`SELECT id, bytes FROM engine_runs WHERE ended > 0 ORDER BY ended_at, ended LIMIT 1`, nil, &oldest, &bytes)
		if errors.Is(err, sqldb.ErrNotFound) {
			return engine.ErrFull, nil
		}
		if err == nil {
			err = forget(t, oldest, bytes)
		}
		if err != nil {
			return nil, err
		}
		have.runs--
		have.bytes -= bytes
	}
	return nil, nil
}

// forget removes a run with all that belongs to it.
func forget(t *sqldb.Tx, run string, bytes int64) error {
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
	_, err := t.Exec(`UPDATE engine_totals SET runs = runs - 1, bytes = bytes - $1 WHERE id = 1`, bytes)
	return err
}
