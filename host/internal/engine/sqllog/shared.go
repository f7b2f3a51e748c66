package sqllog

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// shared is the desk of Postgres: a lease is a token and a time in the task's row.
type shared struct {
	db  *sqldb.DB
	now func() time.Time
}

const (
	// askTime bounds one statement about leases.
	askTime = 10 * time.Second
	// soon is when to look again for a task that somebody is just taking.
	soon = 5 * time.Millisecond
	// relaxed makes the commit of the statement it stands in not wait for the disk: a
	// lease that is lost with the server runs out earlier, no more.
	relaxed = `(SELECT set_config('synchronous_commit', 'off', true)) = 'off'`
)

func (s *shared) take(ctx context.Context, q engine.Queue) (engine.Task, time.Duration, error) {
	// A claim that was made and not heard of would rest until its lease ends.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	now, token := s.now(), rand.Text()
	t, err := sqldb.One(ctx, s.db, scanTask, `UPDATE engine_tasks SET token = $1, at = $2 WHERE id = (
			SELECT id FROM engine_tasks WHERE queue = $3 AND at <= $4 ORDER BY at, id LIMIT 1 FOR UPDATE SKIP LOCKED) AND `+relaxed+`
		RETURNING id, run, kind, visit, attempt, due`, token, micros(now.Add(engine.Lease)), string(q), now.UnixMicro())
	if err == nil {
		t.Token = token
		return t, 0, nil
	}
	if !errors.Is(err, sqldb.ErrNotFound) {
		return engine.Task{}, 0, err
	}
	var at int64
	err = s.db.Row(ctx, `SELECT at FROM engine_tasks WHERE queue = $1 ORDER BY at, id LIMIT 1`, []any{string(q)}, &at)
	if errors.Is(err, sqldb.ErrNotFound) {
		return engine.Task{}, poll, nil
	}
	return engine.Task{}, min(max(time.UnixMicro(at).Sub(now), soon), poll), err
}

func (s *shared) hold(ctx context.Context, t engine.Task, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	res, err := s.db.SQL().ExecContext(ctx, `UPDATE engine_tasks SET at = $3 WHERE id = $1 AND token = $2 AND `+relaxed,
		t.ID, t.Token, micros(s.now().Add(d)))
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return engine.ErrStale
	}
	return err
}

func (s *shared) token(t engine.Task) (string, error) {
	if t.Token == "" { // it was never handed out
		return "", engine.ErrStale
	}
	return t.Token, nil
}

func (s *shared) changed(engine.Batch) {}
