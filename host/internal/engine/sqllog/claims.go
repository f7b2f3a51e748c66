package sqllog

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// turn says whether a batch may be stored beside the other runs with its claim that are not over. A
// run that is to begin must wait for those that have begun and, if it is new, for those that are
// queued.
func (c *change) turn(t *sqldb.Tx, claim string, fresh bool) (refused, err error) {
	if c.batch.Turn == engine.TurnShared || claim == "" {
		return nil, nil
	}
	waits := `queued = 0 AND `
	if fresh {
		waits = ""
	}
	var other string
	err = t.Row(`SELECT id FROM engine_runs WHERE claim = $1 AND ended = 0 AND claim <> '' AND `+waits+`id <> $2 ORDER BY queued LIMIT 1`,
		[]any{claim, c.batch.Run}, &other)
	none := errors.Is(err, sqldb.ErrNotFound)
	switch {
	case err != nil && !none:
		return nil, err
	case c.batch.Turn == engine.TurnAlone && !none:
		return &engine.ClaimedError{Run: other}, nil
	case c.batch.Turn == engine.TurnQueued && none:
		return engine.ErrFree, nil
	case c.batch.Turn != engine.TurnQueued:
		return nil, nil
	}
	var queued int
	err = t.Row(`SELECT count(*) FROM engine_runs WHERE claim = $1 AND ended = 0 AND claim <> '' AND queued > 0`, []any{claim}, &queued)
	if err == nil && queued >= engine.MaxQueued {
		return fmt.Errorf("%d runs are queued: %w", queued, engine.ErrFull), nil
	}
	return nil, err
}

// pass records whether the run is queued. When no run that has begun is left, it lets the first
// queued run begin.
func (c *change) pass(t *sqldb.Tx, g *group, claim string, seq int64) error {
	if c.batch.Turn != engine.TurnQueued {
		seq = 0
	}
	if _, err := t.Exec(`UPDATE engine_runs SET queued = $2 WHERE id = $1 AND queued <> $2`, c.batch.Run, seq); err != nil {
		return err
	}
	if !c.batch.Over {
		return nil
	}
	var first string
	err := t.Row(`SELECT id FROM engine_runs WHERE claim = $1 AND ended = 0 AND claim <> '' AND NOT EXISTS (
			SELECT 1 FROM engine_runs WHERE claim = $1 AND ended = 0 AND claim <> '' AND queued = 0)
		ORDER BY queued LIMIT 1`, []any{claim}, &first)
	if errors.Is(err, sqldb.ErrNotFound) {
		return nil
	}
	next := engine.StartTask(first, c.log.now())
	c.next, g.tasks[next.ID] = []engine.Task{next}, next
	return err
}

// all returns the tasks of the batch, and the one that it makes for another run.
func (c *change) all() []engine.Task { return slices.Concat(c.batch.Tasks, c.next) }
