package sqllog

import (
	"maps"
	"slices"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/duequeue"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// group is the changes that share a transaction. The rows that they add are written together after
// the last change was processed, many rows with one statement.
type group struct {
	log   *Log
	known bool  // seq and have were read
	seq   int64 // the newest that was given out, at least Log.begun
	was   int64 // seq before this transaction
	have  total
	grown total // the part of have that the row in engine_totals does not have yet
	taken bool  // seq has moved since the row in engine_totals was written
	fresh []*change
	gone  []string               // ids of tasks to delete
	tasks map[string]engine.Task // by id; inserted after those in gone were deleted
	waits map[string]engine.Wait // by correlation
	terms [][3]any
	steps []stepsRow
	// cursors are in the order of their changes: the last of a subscription counts.
	cursors []cursorRow
	counted []*change // changes with figures
	counts  map[string]engine.Count
	told    []toldRow
	bytes   int64 // of the data in told that the row in engine_totals does not count yet
}

// stepsRow is a row of engine_steps. Like a cursor, it is not written if its change has been
// refused meanwhile.
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

// group returns the group of a transaction; on Postgres the transaction then holds the lock of all
// hosts.
func (l *Log) group(t *sqldb.Tx) (*group, error) {
	return sqldb.Join(t, func() (*group, error) {
		g := &group{log: l, tasks: map[string]engine.Task{}, waits: map[string]engine.Wait{}, counts: map[string]engine.Count{}}
		if l.owned != nil { // one process, one writer
			return g, nil
		}
		return g, lockWriters(t)
	})
}

// look reads the totals once. Sequences continue from the time at which this Log was opened, if
// that is higher: otherwise a restored backup would give out sequences again that readers already
// have from the time after the backup.
func (g *group) look(t *sqldb.Tx) error {
	if g.known {
		return nil
	}
	err := t.Row(`SELECT seq, runs, bytes FROM engine_totals WHERE id = 1`, nil, &g.was, &g.have.runs, &g.have.bytes)
	g.known = err == nil
	g.seq = max(g.was, g.log.begun)
	return err
}

// count takes the next n sequences, adds to the totals, and returns the last of the
// sequences.
func (g *group) count(t *sqldb.Tx, n int, grown total) (seq int64, err error) {
	if err := g.look(t); err != nil {
		return 0, err
	}
	g.seq += int64(n)
	g.taken = g.taken || n != 0
	g.have.add(grown)
	g.grown.add(grown)
	return g.seq, nil
}

// endTask ends a task, even one that was added in this transaction.
func (g *group) endTask(id string) {
	delete(g.tasks, id)
	g.gone = append(g.gone, id)
}

func (g *group) addTerms(run string, startedAt int64, terms []string) {
	for _, term := range terms {
		g.terms = append(g.terms, [3]any{term, startedAt, run})
	}
}

// newestCursors returns the last cursor of each subscription.
func (g *group) newestCursors() map[string]engine.Cursor {
	newest := map[string]engine.Cursor{}
	for _, c := range g.cursors {
		if c.Subscription != "" && (c.of == nil || c.of.refused == nil) {
			newest[c.Subscription] = c.Cursor
		}
	}
	return newest
}

func (a *total) add(b total) { a.runs, a.bytes = a.runs+b.runs, a.bytes+b.bytes }

// End implements sqldb.Joint.
func (g *group) End(t *sqldb.Tx) error { return g.flush(t) }

// flush writes the rows that were collected, so that later statements see them.
func (g *group) flush(t *sqldb.Tx) error {
	if err := putRuns.each(t, len(g.fresh), g.runRow, g.begun); err != nil {
		return err
	}
	for _, c := range g.fresh {
		if c.refused == nil {
			g.addTerms(c.batch.Run, c.row.startedAt, c.terms)
			c.rest(g)
		}
	}
	g.fresh = nil
	if err := endTasks.put(t, len(g.gone), func(i int) []any { return []any{g.gone[i]} }); err != nil {
		return err
	}
	g.gone = nil
	if err := putAll(t, putTasks, g.tasks, taskRow); err != nil {
		return err
	}
	if err := putAll(t, putWaits, g.waits, waitRow); err != nil {
		return err
	}
	if err := putTerms.put(t, len(g.terms), func(i int) []any { return g.terms[i][:] }); err != nil {
		return err
	}
	g.terms = nil
	if err := putAll(t, putCursors, g.newestCursors(), g.cursorRow); err != nil {
		return err
	}
	g.cursors = nil
	steps := slices.DeleteFunc(g.steps, func(s stepsRow) bool { return s.of != nil && s.of.refused != nil })
	if err := putSteps.put(t, len(steps), func(i int) []any { s := steps[i]; return []any{s.seq, s.run, s.flow, s.now, s.data} }); err != nil {
		return err
	}
	g.steps = nil
	if err := g.putTold(t); err != nil {
		return err
	}
	if err := g.putCounts(t); err != nil {
		return err
	}
	if !g.taken && g.grown == (total{}) {
		return nil
	}
	newest := g.seq
	if newest == g.log.begun { // every change that took a sequence was refused
		newest = g.was
	}
	_, err := t.Exec(`UPDATE engine_totals SET seq = $1, runs = runs + $2, bytes = bytes + $3, event_bytes = event_bytes + $4 WHERE id = 1`,
		newest, g.grown.runs, g.grown.bytes, g.bytes)
	g.taken, g.grown, g.bytes = false, total{}, 0
	return err
}

// putAll inserts the values of a map, and empties it.
func putAll[V any](t *sqldb.Tx, into *rows, all map[string]V, row func(V) []any) error {
	names := slices.Sorted(maps.Keys(all)) // sorted, so that all hosts lock rows in the same order
	err := into.put(t, len(names), func(i int) []any { return row(all[names[i]]) })
	clear(all)
	return err
}

var (
	putRuns = newRows(`INSERT INTO engine_runs (revision, id, digest, started_at, ended, ended_at, bytes, state, flow, status, error, waits, subjects, claim, trial) VALUES`,
		15, `ON CONFLICT (id) DO NOTHING`)
	endTasks = newRows(`DELETE FROM engine_tasks WHERE id IN (VALUES`, 1, `)`)
	putTasks = newRows(`INSERT INTO engine_tasks (id, queue, run, kind, visit, attempt, due, at, lane, token) VALUES`, 10,
		`ON CONFLICT (id) DO UPDATE SET queue = excluded.queue, run = excluded.run, kind = excluded.kind, visit = excluded.visit,
		attempt = excluded.attempt, due = excluded.due, at = excluded.at, lane = excluded.lane, token = ''`)
	putWaits = newRows(`INSERT INTO engine_waits (correlation, run, node, visit, expires_at) VALUES`, 5,
		`ON CONFLICT (correlation) DO UPDATE SET run = excluded.run, node = excluded.node, visit = excluded.visit, expires_at = excluded.expires_at`)
	putTerms   = newRows(`INSERT INTO engine_terms (term, started_at, run) VALUES`, 3, `ON CONFLICT DO NOTHING`)
	putCursors = newRows(`INSERT INTO engine_cursors (subscription, cursor, stored_at) VALUES`, 3,
		`ON CONFLICT (subscription) DO UPDATE SET cursor = excluded.cursor, stored_at = excluded.stored_at`)
	putSteps = newRows(`INSERT INTO engine_steps (seq, run, flow, stored_at, data) VALUES`, 5, ``)
)

func taskRow(k engine.Task) []any {
	due := duequeue.Micros(k.Due)
	return []any{k.ID, string(k.Queue()), k.Run, string(k.Kind), k.Visit, k.Attempt, due, due, k.Lane, ""}
}

func waitRow(w engine.Wait) []any {
	return []any{w.Correlation, w.Run, w.Node, w.Visit, sqldb.Millis(w.Expires)}
}

func (g *group) cursorRow(c engine.Cursor) []any {
	return []any{c.Subscription, c.Value, sqldb.Millis(g.log.now())}
}

func (g *group) runRow(i int) []any {
	c := g.fresh[i]
	b, x := c.batch, c.row
	return []any{1, b.Run, b.Digest, x.startedAt, c.end.seq, c.end.at, len(c.state), c.state, x.flow, x.status, x.error, x.waits, x.subjects, b.Claim, whole(b.Index.Trial)}
}

func whole(b bool) int {
	if b {
		return 1
	}
	return 0
}

// begun is told how many of n inserted runs were new. If one of several was not, the transaction
// fails, because it is unknown which; the changes are then repeated, each alone in its transaction.
// A change that is alone is refused and gives its sequences back, because the newest sequence must
// be that of a step.
func (g *group) begun(t *sqldb.Tx, first, n int, added int64) error {
	if added == int64(n) {
		return nil
	}
	c := g.fresh[first]
	if n > 1 || c.seq != g.seq {
		return engine.ErrConflict
	}
	c.refused = engine.ErrConflict
	_, err := g.count(t, -c.taken(), total{-1, -int64(len(c.state))})
	return err
}
