package sqllog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// desk hands out tasks and keeps their leases: in the process that owns a SQLite file, or
// in the rows that hosts share on Postgres.
type desk interface {
	// take leases the first task that is due. If there is none, the task has no ID and the duration
	// says how long to wait before the next look.
	take(ctx context.Context, q engine.Queue) (engine.Task, time.Duration, error)
	// hold moves the end of a lease. ErrStale if the caller no longer holds the task.
	hold(ctx context.Context, t engine.Task, d time.Duration) error
	// token is the token in the row of a leased task. ErrStale if the lease is known to be lost.
	token(t engine.Task) (string, error)
	// leave says for which versions no tasks are taken here for a while.
	leave(versions []string)
	// changed is called with every batch that was stored. opened says that a lane that was full has
	// room again.
	changed(b engine.Batch) (opened bool)
	// crowded says that looking for another task of a lane would find none and costs something.
	crowded(lane string) bool
}

// queue lets one worker at a time look for a task, so that an idle host does not ask once for each
// worker.
type queue struct {
	turn  chan struct{} // holds one token: the right to look
	again chan struct{} // holds one token when the worker should look again
}

func newQueue() *queue {
	return &queue{turn: make(chan struct{}, 1), again: make(chan struct{}, 1)}
}

func (q *queue) wake() {
	select {
	case q.again <- struct{}{}:
	default: // a token is there already
	}
}

// Next implements engine.Log.
func (l *Log) Next(ctx context.Context, name engine.Queue) (engine.Task, error) {
	q := l.queues[name]
	select {
	case q.turn <- struct{}{}:
	case <-ctx.Done():
		return engine.Task{}, ctx.Err()
	}
	defer func() { <-q.turn }()
	for {
		if err := ctx.Err(); err != nil {
			return engine.Task{}, err
		}
		t, wait, err := l.desk.take(ctx, name)
		if err != nil || t.ID != "" {
			return t, l.seen(sqldb.Wrap("take a task", err))
		}
		timer := time.NewTimer(wait)
		select {
		case <-q.again:
		case <-timer.C:
		case <-ctx.Done():
		case <-l.done:
			timer.Stop()
			return engine.Task{}, sqldb.ErrClosed
		}
		timer.Stop()
	}
}

// Leave implements engine.Log.
func (l *Log) Leave(versions []string) { l.desk.leave(versions) }

// Hold implements engine.Log.
func (l *Log) Hold(ctx context.Context, t engine.Task, d time.Duration) error {
	if err := l.desk.hold(ctx, t, d); err != nil {
		return fmt.Errorf("hold task %s: %w", t.ID, err)
	}
	l.queues[t.Queue()].wake()
	return nil
}

// Drop implements engine.Log.
func (l *Log) Drop(ctx context.Context, t engine.Task) error {
	token, err := l.desk.token(t)
	if errors.Is(err, engine.ErrStale) {
		return nil
	}
	var n int64
	err = l.db.WriteUnsynced(ctx, "drop a task", l.change(func(tx *sqldb.Tx) (err error) {
		n, err = tx.Exec(`DELETE FROM engine_tasks WHERE id = $1 AND token = $2`, t.ID, token)
		return err
	}))
	if err == nil && n > 0 && l.desk.changed(engine.Batch{Ends: t}) {
		l.queues[t.Queue()].wake()
	}
	return err
}

func scanTask(row sqldb.Scanner) (t engine.Task, err error) {
	var due int64
	err = row.Scan(&t.ID, &t.Run, &t.Kind, &t.Visit, &t.Attempt, &due, &t.Lane)
	t.Due = time.UnixMicro(due).UTC()
	return t, err
}
