package sqllog

import (
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// group is the changes that share a transaction. What they add is written together, when the
// last of them has been looked at: a statement for many rows in place of many.
type group struct {
	log   *Log
	known bool  // what seq and have are
	seq   int64 // of the newest step
	have  total
	grown total // of have, what the row in engine_totals does not have yet
	taken bool  // of seq likewise
	fresh []*change
	steps []stepsRow
	// cursors are in the order of their changes: the last of a subscription counts.
	cursors []cursorRow
}

// stepsRow is a row of engine_steps. Like a cursor it is not written if its change is refused
// meanwhile.
type stepsRow struct {
	of        *change // may be nil
	seq       int64
	run, flow string
	now       int64
	data      []byte
}

type cursorRow struct {
	of *change // may be nil
	engine.Cursor
}

// group is that of a transaction; on Postgres it holds the lock of all hosts.
func (l *Log) group(t *sqldb.Tx) (*group, error) {
	return sqldb.Join(t, func() (*group, error) {
		g := &group{log: l}
		if l.owned != nil { // one process, one writer
			return g, nil
		}
		return g, lockWriters(t)
	})
}

// look reads the totals once.
func (g *group) look(t *sqldb.Tx) error {
	if g.known {
		return nil
	}
	err := t.Row(`SELECT seq, runs, bytes FROM engine_totals WHERE id = 1`, nil, &g.seq, &g.have.runs, &g.have.bytes)
	g.known = err == nil
	return err
}

// count takes the next n sequences, adds to the totals, and returns the last of the
// sequences.
func (g *group) count(t *sqldb.Tx, n int, grown total) (seq int64, err error) {
	if err := g.look(t); err != nil {
		return 0, err
	}
	g.seq += int64(n)
	g.taken = g.taken || n > 0
	g.have.add(grown)
	g.grown.add(grown)
	return g.seq, nil
}

func (a *total) add(b total) { a.runs, a.bytes = a.runs+b.runs, a.bytes+b.bytes }

// End implements sqldb.Joint.
func (g *group) End(t *sqldb.Tx) error { return g.settle(t) }

// settle writes what has gathered, so that statements see it.
func (g *group) settle(t *sqldb.Tx) error {
	err := putRuns.each(t, len(g.fresh), g.runRow, g.begun)
	for _, c := range g.fresh {
		if err == nil && c.refused == nil {
			err = changeTerms(t, c.batch.Run, c.row.startedAt, c.terms, nil)
		}
		if err == nil && c.refused == nil {
			err = c.rest(t)
		}
	}
	g.fresh = nil
	newest := map[string][]byte{}
	for _, c := range g.cursors {
		if c.Subscription != "" && (c.of == nil || c.of.refused == nil) {
			newest[c.Subscription] = c.Value
		}
	}
	for name, value := range newest {
		if err == nil {
			err = putCursor(t, engine.Cursor{Subscription: name, Value: value}, sqldb.Millis(g.log.now()))
		}
	}
	g.cursors = nil
	kept := g.steps[:0]
	for _, s := range g.steps {
		if s.of == nil || s.of.refused == nil {
			kept = append(kept, s)
		}
	}
	if err == nil {
		err = putSteps.put(t, len(kept), func(i int) []any { s := kept[i]; return []any{s.seq, s.run, s.flow, s.now, s.data} })
	}
	if g.steps = nil; err == nil && (g.taken || g.grown != total{}) {
		_, err = t.Exec(`UPDATE engine_totals SET seq = $1, runs = runs + $2, bytes = bytes + $3 WHERE id = 1`, g.seq, g.grown.runs, g.grown.bytes)
		g.taken, g.grown = false, total{}
	}
	return err
}

var (
	putRuns = newRows(`INSERT INTO engine_runs (revision, id, digest, started_at, ended, ended_at, bytes, state, flow, status, error, waits, subjects, claim) VALUES`,
		14, `ON CONFLICT (id) DO NOTHING`)
	putSteps = newRows(`INSERT INTO engine_steps (seq, run, flow, stored_at, data) VALUES`, 5, ``)
)

func (g *group) runRow(i int) []any {
	c := g.fresh[i]
	b, x := c.batch, c.row
	return []any{1, b.Run, b.Digest, x.startedAt, c.end.seq, c.end.at, len(b.State), b.State, x.flow, x.status, x.error, x.waits, x.subjects, b.Claim}
}

// begun hears how many of some runs are new. Which one is not shows when each is alone in its
// transaction, as after an error.
func (g *group) begun(t *sqldb.Tx, first, n int, added int64) error {
	if added == int64(n) {
		return nil
	}
	if n > 1 {
		return engine.ErrConflict
	}
	c := g.fresh[first]
	c.refused = engine.ErrConflict
	_, err := g.count(t, 0, total{-1, -int64(len(c.batch.State))})
	return err
}
