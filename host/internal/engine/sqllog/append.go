package sqllog

import (
	"context"
	"errors"
	"fmt"

	"github.com/tapnode/tapnode/host/internal/engine"
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
		if !l.desk.crowded(t.Lane) {
			l.queues[t.Queue()].wake()
		}
	}
	if len(b.Steps) > 0 {
		l.watchers.Wake(b.Run)
	}
	if len(b.Outgoing) > 0 {
		l.outgoing.wake()
	}
	return b.Expect + 1, nil
}

// change is a batch that is being stored.
type change struct {
	log   *Log
	batch engine.Batch
	token string // of the lease of batch.Ends, as in its row
	state []byte // as in the row
	steps []byte
	next  []engine.Task // begins the queued run whose turn has come

	// For a new run.
	seq   int64
	row   indexed
	end   ending
	terms []string

	// refused is why nothing was stored. It is not an error of the transaction, because other
	// batches share that.
	refused error
}

func (l *Log) newChange(b engine.Batch) (c *change, err error) {
	c = &change{log: l, batch: b, state: pack(b.State)}
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

// apply writes the whole batch, now or with the others of its group, or it writes nothing and says
// why in refused.
func (c *change) apply(t *sqldb.Tx) error {
	c.refused, c.next = nil, nil
	g, err := c.log.group(t)
	if err != nil {
		return err
	}
	if c.batch.Expect == 0 && c.batch.Claim == "" && c.batch.Ends.ID == "" {
		if full, err := g.full(t); err != nil || !full {
			return errors.Join(err, c.begin(t, g, "")) // flush notices if the run exists already
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
	if uint64(revision) != c.batch.Expect { // an existing run has at least 1
		c.refused = engine.ErrConflict
		return nil
	}
	if c.refused, err = c.turn(t, claim, fresh); err != nil || c.refused != nil {
		return err
	}
	if fresh {
		if c.refused, err = c.log.makeRoom(t, g); err != nil || c.refused != nil {
			return err
		}
	}
	if c.refused, err = c.ends(t); err != nil || c.refused != nil { // the last check, because it changes something
		return err
	}
	if fresh {
		return c.begin(t, g, claim)
	}
	return c.goOn(t, g, was, end, bytes, claim)
}

// begin makes a new run. A run without a claim is stored later, with the others of the group.
func (c *change) begin(t *sqldb.Tx, g *group, claim string) error {
	seq, now, err := c.count(t, g, total{1, int64(len(c.state))})
	if err != nil {
		return err
	}
	was := indexed{startedAt: now}
	if !c.batch.Index.Started.IsZero() {
		was.startedAt = sqldb.Millis(c.batch.Index.Started)
	}
	c.seq = seq
	c.row, c.terms, _ = was.next(c.batch.Index)
	if c.end = (ending{}); c.batch.Over {
		c.end = ending{seq, now}
	}
	g.fresh = append(g.fresh, c)
	if claim == "" {
		return nil
	}
	if err := g.flush(t); err != nil || c.refused != nil {
		return err
	}
	return c.pass(t, g, claim, seq)
}

// goOn changes an existing run.
func (c *change) goOn(t *sqldb.Tx, g *group, was indexed, end ending, bytes int64, claim string) error {
	seq, now, err := c.count(t, g, total{0, int64(len(c.state)) - bytes})
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
	c.rest(g)
	err = c.update(t, g, was, end, goesOn)
	if err == nil && claim != "" {
		err = c.pass(t, g, claim, seq)
	}
	return err
}

// count takes the sequences of the change and gives the group its steps, its cursor, its figures
// and its events.
func (c *change) count(t *sqldb.Tx, g *group, grown total) (seq, now int64, err error) {
	now = sqldb.Millis(c.log.now())
	seq, err = g.count(t, c.taken(), grown)
	if err == nil && len(c.steps) > 0 {
		first := c.batch.Steps[0]
		g.steps = append(g.steps, stepsRow{c, seq, first.Run, first.Flow, now, c.steps})
	}
	g.cursors = append(g.cursors, cursorRow{c, c.batch.Cursor})
	if len(c.batch.Counts) > 0 {
		g.counted = append(g.counted, c)
	}
	if err == nil {
		err = g.tell(t, c, c.batch.Outgoing)
	}
	return seq, now, err
}

// taken is how many sequences the change takes.
func (c *change) taken() int { return max(1, len(c.batch.Steps)) }

// rest gives the group the tasks and waits of the change.
func (c *change) rest(g *group) {
	for _, id := range c.batch.Done {
		g.endTask(id)
	}
	for _, k := range c.batch.Tasks {
		g.tasks[k.ID] = k
	}
	for _, w := range c.batch.Waits {
		g.waits[w.Correlation] = w
	}
}

// ends removes the task that led to the change; ErrStale when the caller no longer holds it.
func (c *change) ends(t *sqldb.Tx) (refused, err error) {
	if c.batch.Ends.ID == "" {
		return nil, nil
	}
	n, err := t.Exec(`DELETE FROM engine_tasks WHERE id = $1 AND token = $2`, c.batch.Ends.ID, c.token)
	if err == nil && n == 0 {
		return engine.ErrStale, nil
	}
	return nil, err
}

// Load implements engine.Log.
func (l *Log) Load(ctx context.Context, run string) (engine.Record, error) {
	var rec engine.Record
	err := l.db.Row(ctx, `SELECT revision, state FROM engine_runs WHERE id = $1`, []any{run}, &rec.Revision, &rec.State)
	if err != nil {
		return engine.Record{}, wrap("load a run", err)
	}
	rec.State = unpack(rec.State)
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
