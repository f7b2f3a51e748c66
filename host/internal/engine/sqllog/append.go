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
	err = l.seen(l.db.Write(ctx, "append to run "+b.Run, l.change(c.apply)))
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
	return b.Expect + 1, nil
}

// change is a batch on its way into the database.
type change struct {
	log   *Log
	batch engine.Batch
	token string // of the lease of batch.Ends, as its row has it
	steps []byte
	next  []engine.Task // begins the queued run whose turn has come

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

// apply writes everything, or nothing and says why in refused.
func (c *change) apply(t *sqldb.Tx) error {
	c.refused, c.next = nil, nil
	var revision, bytes, ended, endedAt int64
	var was indexed
	claim := c.batch.Claim
	err := t.Row(`SELECT revision, bytes, ended, ended_at, started_at, flow, status, error, waits, subjects, claim FROM engine_runs WHERE id = $1`, []any{c.batch.Run},
		&revision, &bytes, &ended, &endedAt, &was.startedAt, &was.flow, &was.status, &was.error, &was.waits, &was.subjects, &claim)
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
	if fresh {
		if c.refused, err = c.log.makeRoom(t); err != nil || c.refused != nil {
			return err
		}
	}
	grown := total{bytes: int64(len(c.batch.State)) - bytes}
	if fresh {
		grown.runs = 1
	}
	seq, err := count(t, max(1, len(c.batch.Steps)), grown)
	if err != nil {
		return err
	}
	now, goesOn := sqldb.Millis(c.log.now()), ended == 0 && !c.batch.Over
	switch {
	case !c.batch.Over:
		ended, endedAt = 0, 0
	case ended == 0:
		ended, endedAt = seq, now
	}
	if fresh {
		if was.startedAt = now; !c.batch.Index.Started.IsZero() {
			was.startedAt = sqldb.Millis(c.batch.Index.Started)
		}
	}
	err = c.row(t, was, ending{ended, endedAt}, fresh, goesOn, claim)
	if err == nil && claim != "" {
		err = c.pass(t, claim, seq)
	}
	if err == nil {
		err = c.tasks(t)
	}
	if err == nil {
		err = c.waits(t)
	}
	if err == nil && len(c.steps) > 0 {
		first := c.batch.Steps[0]
		err = putSteps(t, seq, first.Run, first.Flow, now, c.steps)
	}
	if err == nil {
		err = putCursor(t, c.batch.Cursor, now)
	}
	return err
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
