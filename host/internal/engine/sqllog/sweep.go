package sqllog

import (
	"context"
	"errors"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// sweep removes what is past its time and, with count, steps and figures over their limits.
func (l *Log) sweep(ctx context.Context, count bool) error {
	errs := []error{
		l.indexOldRuns(ctx),
		l.repeat(ctx, "forget old runs", l.forgetRuns),
		l.repeat(ctx, "remove old waits", l.removeWaits),
		l.repeat(ctx, "remove old steps", l.removeOldSteps),
		l.repeat(ctx, "remove old versions of flows", l.removeFlows),
		l.repeat(ctx, "remove old dead letters", l.removeLetters),
		l.repeat(ctx, "remove old cursors", l.removeCursors),
		l.repeat(ctx, "remove old figures", l.removeCounts),
	}
	if count {
		errs = append(errs, l.removeManySteps(ctx), l.removeManyCounts(ctx))
	}
	return errors.Join(errs...)
}

// runsBatch is how many runs one transaction forgets: each has some dozen rows.
const runsBatch = 50

// repeat runs a job again and again, in transactions of its own, until the job says that there is
// no more to do.
func (l *Log) repeat(ctx context.Context, what string, job func(*sqldb.Tx) (more bool, err error)) error {
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := l.db.WriteUnsynced(ctx, what, l.change(func(t *sqldb.Tx) (err error) {
			more, err = job(t)
			return err
		}))
		if err != nil {
			return err
		}
	}
	return nil
}

// before is the time before which things are removed.
func (l *Log) before() int64 { return sqldb.Millis(l.now().Add(-l.limits.Keep)) }

func (l *Log) forgetRuns(t *sqldb.Tx) (more bool, err error) {
	type old struct {
		id    string
		bytes int64
	}
	runs, err := sqldb.All(t.Context(), t, func(row sqldb.Scanner) (r old, err error) {
		err = row.Scan(&r.id, &r.bytes)
		return r, err
	}, `SELECT id, bytes FROM engine_runs WHERE ended > 0 AND ended_at < $1 ORDER BY ended_at, ended LIMIT $2`, l.before(), runsBatch)
	if err != nil {
		return false, err
	}
	g, err := l.group(t)
	for _, r := range runs {
		if err == nil {
			err = g.forget(t, r.id, r.bytes)
		}
	}
	return len(runs) == runsBatch, err
}

func (l *Log) removeWaits(t *sqldb.Tx) (more bool, err error) {
	n, err := t.Exec(`DELETE FROM engine_waits WHERE correlation IN (
		SELECT correlation FROM engine_waits WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, sqldb.Millis(l.now()), sqldb.SweepBatch)
	return n == sqldb.SweepBatch, err
}

// removeOldSteps looks only at the steps with the lowest sequences, which are the oldest.
func (l *Log) removeOldSteps(t *sqldb.Tx) (more bool, err error) {
	type row struct{ seq, storedAt int64 }
	rows, err := sqldb.All(t.Context(), t, func(s sqldb.Scanner) (r row, err error) {
		err = s.Scan(&r.seq, &r.storedAt)
		return r, err
	}, `SELECT seq, stored_at FROM engine_steps ORDER BY seq LIMIT $1`, sqldb.SweepBatch)
	if err != nil {
		return false, err
	}
	last, n := int64(0), 0
	for _, r := range rows {
		if r.storedAt >= l.before() {
			break
		}
		last, n = r.seq, n+1
	}
	return n == sqldb.SweepBatch, removeSteps(t, last)
}

// removeManySteps removes the oldest steps over the limit. It counts them outside of the
// transactions, because counting reads a whole index and would keep other writers waiting.
func (l *Log) removeManySteps(ctx context.Context) error {
	var span int64
	err := l.db.Row(ctx, `SELECT coalesce((SELECT max(seq) FROM engine_steps) - (SELECT min(seq) FROM engine_steps), 0)`, nil, &span)
	if err != nil || span < int64(l.limits.Steps) { // there are no more rows than sequences
		return sqldb.Wrap("count the steps", err)
	}
	excess, err := l.db.Excess(ctx, "engine_steps", l.limits.Steps)
	for ; err == nil && excess > 0 && ctx.Err() == nil; excess -= sqldb.SweepBatch {
		err = l.db.WriteUnsynced(ctx, "remove steps over the limit", l.change(func(t *sqldb.Tx) error {
			var last int64
			err := t.Row(`SELECT max(seq) FROM (SELECT seq FROM engine_steps ORDER BY seq LIMIT $1) AS oldest`, []any{min(excess, sqldb.SweepBatch)}, &last)
			if err != nil {
				return err
			}
			return removeSteps(t, last)
		}))
	}
	return errors.Join(err, ctx.Err())
}

// removeSteps removes all steps up to a sequence, and records that for watchers.
func removeSteps(t *sqldb.Tx, last int64) error {
	if last == 0 {
		return nil
	}
	if _, err := t.Exec(`DELETE FROM engine_steps WHERE seq <= $1`, last); err != nil {
		return err
	}
	_, err := t.Exec(`UPDATE engine_totals SET gone = $1 WHERE id = 1 AND gone < $1`, last)
	return err
}
