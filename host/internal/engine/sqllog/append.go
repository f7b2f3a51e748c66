package sqllog

import (
	"context"
	"errors"
	"fmt"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/duequeue"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// Append implements engine.Log.
func (l *Log) Append(ctx context.Context, b engine.Batch) (uint64, error) {
	defer l.only(b.Run)()
	c, err := l.newChange(b)
	if err != nil {
		return 0, fmt.Errorf("append to run %s: %w", b.Run, err)
	}
	err = l.seen(l.db.Write(ctx, "append to run "+b.Run, c.apply))
	if err == nil && c.refused != nil {
		err = fmt.Errorf("append to run %s at revision %d: %w", b.Run, b.Expect, c.refused)
	}
	if err != nil {
		return 0, err
	}
	b.Tasks = c.all()
	if l.desk.changed(b) {
		l.queues[engine.Calls].wake()
	}
	for _, t := range b.Tasks {
		l.queues[t.Queue()].wake()
	}
	if len(b.Steps) > 0 {
		l.watchers.Wake(b.Run)
	}
	if len(b.Outgoing) > 0 {
		l.outgoing.wake()
	}
	return b.Expect + 1, nil
}

// change is a batch on its way into the database.
type change struct {
	log   *Log
	batch engine.Batch
	token string // of the lease of batch.Ends, as its row has it
	steps []byte
	next  []engine.Task // begins the queued run whose turn has come

	// Of a run that is new.
	row   indexed
	end   ending
	terms []string

	// refused is why nothing was stored. It is no error of the transaction, which
	// other batches share.
	refused error
}

func (l *Log) newChange(b engine.Batch) (c *change, err error) {
	c = &change{log: l, batch: b}
	if b.Ends.ID != "" {
		if c.token, err = l.desk.token(b.Ends); err != nil {
			return nil, err
		}
	}
	if len(b.Steps) > 0 {
		c.steps, err = encodeSteps(b.Steps)
	}
	return c, err
}

// apply writes everything, now or with the others of its group, or nothing and says why in
// refused.
func (c *change) apply(t *sqldb.Tx) error {
	c.refused, c.next = nil, nil
	g, err := c.log.group(t)
	if err != nil {
		return err
	}
	if c.batch.Expect == 0 && c.batch.Claim == "" && c.batch.Ends.ID == "" {
		if full, err := g.full(t); err != nil || !full {
			return errors.Join(err, c.begin(t, g, "")) // the group sees whether there is such a run
		}
	}
	var revision, bytes int64
	var end ending
	var was indexed
	claim := c.batch.Claim
	err = t.Row(`SELECT revision, bytes, ended, ended_at, started_at, flow, status, error, waits, subjects, claim FROM engine_runs WHERE id = $1`, []any{c.batch.Run},
		&revision, &bytes, &end.seq, &end.at, &was.startedAt, &was.flow, &was.status, &was.error, &was.waits, &was.subjects, &claim)
	fresh := errors.Is(err, sqldb.ErrNotFound)
	if err != nil && !fresh {
		return err
	}
	if uint64(revision) != c.batch.Expect { // a run that is there has at least 1
		c.refused = engine.ErrConflict
		return nil
	}
	if c.refused, err = c.stale(t); err != nil || c.refused != nil {
		return err
	}
	if c.refused, err = c.turn(t, claim, fresh); err != nil || c.refused != nil {
		return err
	}
	if !fresh {
		return c.goOn(t, g, was, end, bytes, claim)
	}
	if c.refused, err = c.log.makeRoom(t, g); err != nil || c.refused != nil {
		return err
	}
	return c.begin(t, g, claim)
}

// begin makes a new run. One without a claim is stored with the others of the group.
func (c *change) begin(t *sqldb.Tx, g *group, claim string) error {
	seq, now, err := c.count(t, g, total{1, int64(len(c.batch.State))})
	if err != nil {
		return err
	}
	was := indexed{startedAt: now}
	if !c.batch.Index.Started.IsZero() {
		was.startedAt = sqldb.Millis(c.batch.Index.Started)
	}
	c.row, c.terms, _ = was.next(c.batch.Index)
	if c.end = (ending{}); c.batch.Over {
		c.end = ending{seq, now}
	}
	g.fresh = append(g.fresh, c)
	if claim == "" {
		return nil
	}
	if err := g.settle(t); err != nil || c.refused != nil {
		return err
	}
	return c.pass(t, claim, seq)
}

// goOn changes a run that is there.
func (c *change) goOn(t *sqldb.Tx, g *group, was indexed, end ending, bytes int64, claim string) error {
	seq, now, err := c.count(t, g, total{0, int64(len(c.batch.State)) - bytes})
	if err != nil {
		return err
	}
	goesOn := end.seq == 0 && !c.batch.Over
	switch {
	case !c.batch.Over:
		end = ending{}
	case end.seq == 0:
		end = ending{seq, now}
	}
	err = c.update(t, was, end, goesOn)
	if err == nil && claim != "" {
		err = c.pass(t, claim, seq)
	}
	if err == nil {
		err = c.rest(t)
	}
	if err == nil {
		err = putOutgoing(t, c.batch.Outgoing, now)
	}
	return err
}

// count takes the sequences of the change, with which its steps are stored, and its cursor.
func (c *change) count(t *sqldb.Tx, g *group, grown total) (seq, now int64, err error) {
	now = sqldb.Millis(c.log.now())
	seq, err = g.count(t, max(1, len(c.batch.Steps)), grown)
	if err == nil && len(c.steps) > 0 {
		first := c.batch.Steps[0]
		g.steps = append(g.steps, stepsRow{c, seq, first.Run, first.Flow, now, c.steps})
	}
	g.cursors = append(g.cursors, cursorRow{c, c.batch.Cursor})
	return seq, now, err
}

// rest writes the tasks and waits of the change.
func (c *change) rest(t *sqldb.Tx) error {
	if err := c.tasks(t); err != nil {
		return err
	}
	return c.waits(t)
}

// stale is ErrStale when the task that the batch ends is not its holder's any more.
func (c *change) stale(t *sqldb.Tx) (refused, err error) {
	if c.batch.Ends.ID == "" {
		return nil, nil
	}
	var held int
	err = t.Row(`SELECT count(*) FROM engine_tasks WHERE id = $1 AND token = $2`, []any{c.batch.Ends.ID, c.token}, &held)
	if err == nil && held == 0 {
		return engine.ErrStale, nil
	}
	return nil, err
}

func (c *change) tasks(t *sqldb.Tx) error {
	if c.batch.Ends.ID != "" {
		// Since stale looked, another host may have taken a task whose lease had run out.
		n, err := t.Exec(`DELETE FROM engine_tasks WHERE id = $1 AND token = $2`, c.batch.Ends.ID, c.token)
		if err != nil {
			return err
		}
		if n == 0 {
			return engine.ErrStale
		}
	}
	for _, id := range c.batch.Done {
		if _, err := t.Exec(`DELETE FROM engine_tasks WHERE id = $1`, id); err != nil {
			return err
		}
	}
	for _, k := range c.all() {
		due := duequeue.Micros(k.Due)
		_, err := t.Exec(`INSERT INTO engine_tasks (id, queue, run, kind, visit, attempt, due, at, lane, token) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '')
			ON CONFLICT (id) DO UPDATE SET queue = excluded.queue, run = excluded.run, kind = excluded.kind, visit = excluded.visit,
			attempt = excluded.attempt, due = excluded.due, at = excluded.at, lane = excluded.lane, token = ''`,
			k.ID, string(k.Queue()), k.Run, string(k.Kind), k.Visit, k.Attempt, due, due, k.Lane)
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *change) waits(t *sqldb.Tx) error {
	for _, w := range c.batch.Waits {
		_, err := t.Exec(`INSERT INTO engine_waits (correlation, run, node, visit, expires_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (correlation) DO UPDATE SET run = excluded.run, node = excluded.node, visit = excluded.visit, expires_at = excluded.expires_at`,
			w.Correlation, w.Run, w.Node, w.Visit, sqldb.Millis(w.Expires))
		if err != nil {
			return err
		}
	}
	return nil
}

// Load implements engine.Log.
func (l *Log) Load(ctx context.Context, run string) (engine.Record, error) {
	var rec engine.Record
	err := l.db.Row(ctx, `SELECT revision, state FROM engine_runs WHERE id = $1`, []any{run}, &rec.Revision, &rec.State)
	if err != nil {
		return engine.Record{}, wrap("load a run", err)
	}
	return rec, nil
}

// Wait implements engine.Log.
func (l *Log) Wait(ctx context.Context, correlation string) (engine.Wait, error) {
	w := engine.Wait{Correlation: correlation}
	var expires int64
	err := l.db.Row(ctx, `SELECT run, node, visit, expires_at FROM engine_waits WHERE correlation = $1 AND expires_at > $2`,
		[]any{correlation, sqldb.Millis(l.now())}, &w.Run, &w.Node, &w.Visit, &expires)
	if err != nil {
		return engine.Wait{}, wrap("find a wait", err)
	}
	w.Expires = sqldb.Time(expires)
	return w, nil
}
