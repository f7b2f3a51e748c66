package sqllog

import (
	"context"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// Counts are the numbers of what is stored. With Postgres they are those of all hosts, except for
// Stats.
type Counts struct {
	Runs, Over  int64 // all, and of those the ones that are over
	Bytes       int64 // of the states of all runs
	Waits       int64 // that an answer finds, late ones included
	DeadLetters int64
	Due         map[engine.Queue]int64 // tasks that are due; with SQLite also those that are worked on
	Stats       sqldb.Stats
}

// Counts counts what is stored. It reads whole indexes, which takes some ten milliseconds for a
// million runs.
func (l *Log) Counts(ctx context.Context) (Counts, error) {
	c := Counts{Due: map[engine.Queue]int64{}, Stats: l.db.Stats()}
	err := l.db.Row(ctx, `SELECT runs, bytes, (SELECT count(*) FROM engine_runs WHERE ended > 0), (SELECT count(*) FROM engine_waits),
		(SELECT count(*) FROM engine_dead) FROM engine_totals WHERE id = 1`, nil, &c.Runs, &c.Bytes, &c.Over, &c.Waits, &c.DeadLetters)
	for _, q := range engine.Queues {
		var due int64
		if err == nil {
			err = l.db.Row(ctx, `SELECT count(*) FROM engine_tasks WHERE queue = $1 AND at <= $2`, []any{string(q), l.now().UnixMicro()}, &due)
		}
		c.Due[q] = due
	}
	return c, sqldb.Wrap("count the runs", err)
}
