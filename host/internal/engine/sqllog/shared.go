package sqllog

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/duequeue"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// shared is the desk of Postgres: a lease is a token and a time in the task's row. Each process
// counts only its own tasks in a lane.
type shared struct {
	db  *sqldb.DB
	now func() time.Time

	mu   sync.Mutex
	out  map[string]handed // by task id
	left []string          // versions whose tasks are left to other processes
}

// handed is the lane of a task that this process holds, until its lease ends.
type handed struct {
	lane  string
	until time.Time
}

func newShared(db *sqldb.DB, now func() time.Time) *shared {
	return &shared{db: db, now: now, out: map[string]handed{}}
}

func (s *shared) leave(versions []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = versions
}

// others returns the versions whose tasks are left to other processes.
func (s *shared) others() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left
}

// full lists the lanes in which this process holds as many tasks as it may.
func (s *shared) full(now time.Time) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	count, full := map[string]int{}, []string{}
	for id, h := range s.out {
		if h.until.Before(now) {
			delete(s.out, id)
			continue
		}
		if count[h.lane]++; count[h.lane] == engine.LaneWidth {
			full = append(full, h.lane)
		}
	}
	return full
}

func (s *shared) crowded(lane string) bool {
	return lane != "" && slices.Contains(s.full(s.now()), lane)
}

// keep notes that this process holds a task of a lane until a time.
func (s *shared) keep(t engine.Task, until time.Time) {
	if t.Lane == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out[t.ID] = handed{t.Lane, until}
}

const (
	// askTime bounds one statement about leases.
	askTime = 10 * time.Second
	// soon is when to look again for a task that another process is just taking.
	soon = 5 * time.Millisecond
	// relaxed makes the commit of its statement not wait for the disk: a lease that is lost in a
	// crash of the server runs out earlier, and nothing worse.
	relaxed = `(SELECT set_config('synchronous_commit', 'off', true)) = 'off'`
)

// allowed is the condition that this process may take a task t. Tasks of some versions are left to
// other processes, unless they have been due since before a time and nobody took them.
func allowed(since, versions string) string {
	return ` AND (t.at <= ` + since + ` OR NOT EXISTS (SELECT 1 FROM engine_runs AS r WHERE r.id = t.run AND r.digest = ANY(` + versions + `)))`
}

// takeOf makes the statement that leases the task of a selection: $1 is the token, $2 the end of
// the lease, $3 the queue, $4 now, $5 the full lanes, and $6 and $7 the parameters of allowed.
func takeOf(selection string) string {
	return `UPDATE engine_tasks SET token = $1, at = $2 WHERE id = (` + selection + ` FOR UPDATE SKIP LOCKED) AND ` + relaxed + `
		RETURNING id, run, kind, visit, attempt, due, lane`
}

// besideFull selects the first task of each lane of a queue that is not full. With the index on
// (queue, lane, at, id), it skips a full lane however many tasks wait there. With lane = lane in
// place of BETWEEN, Postgres may take the order of another index and filter the queue.
func besideFull(queue, full, condition string) string {
	return `WITH RECURSIVE lanes (lane) AS (
			(SELECT lane FROM engine_tasks WHERE queue = ` + queue + ` ORDER BY lane LIMIT 1)
			UNION ALL
			SELECT (SELECT t.lane FROM engine_tasks AS t WHERE t.queue = ` + queue + ` AND t.lane > lanes.lane ORDER BY t.lane LIMIT 1)
			FROM lanes WHERE lanes.lane IS NOT NULL)
		SELECT first.id, first.at FROM lanes CROSS JOIN LATERAL (
			SELECT t.id, t.at FROM engine_tasks AS t WHERE t.queue = ` + queue + ` AND t.lane BETWEEN lanes.lane AND lanes.lane` + condition + `
			ORDER BY t.lane, t.at, t.id LIMIT 1) AS first
		WHERE lanes.lane <> ALL(` + full + `)`
}

// asking is the two statements of take: one leases a task, the other finds when the next one is
// due.
type asking struct{ take, next string }

// ask returns the statements for when some lanes are full or none are, and some versions are left
// to others or none are.
func ask(full, left bool) asking {
	mine, soon := "", ""
	if left {
		mine, soon = allowed("$6", "$7"), allowed("$3", "$4")
	}
	if full {
		return asking{
			takeOf(`SELECT id FROM engine_tasks WHERE at <= $4 AND id = (
				SELECT id FROM (` + besideFull("$3", "$5", mine) + `) AS beside WHERE at <= $4 ORDER BY at, id LIMIT 1)`),
			`SELECT at FROM (` + besideFull("$1", "$2", soon) + `) AS beside ORDER BY at, id LIMIT 1`,
		}
	}
	return asking{
		takeOf(`SELECT t.id FROM engine_tasks AS t WHERE t.queue = $3 AND t.at <= $4 AND t.lane <> ALL($5)` + mine + ` ORDER BY t.at, t.id LIMIT 1`),
		`SELECT t.at FROM engine_tasks AS t WHERE t.queue = $1 AND t.lane <> ALL($2)` + soon + ` ORDER BY t.at, t.id LIMIT 1`,
	}
}

var asks = map[[2]bool]asking{
	{false, false}: ask(false, false), {false, true}: ask(false, true), {true, false}: ask(true, false), {true, true}: ask(true, true),
}

func (s *shared) take(ctx context.Context, q engine.Queue) (engine.Task, time.Duration, error) {
	// Not cancelled with ctx: a task whose lease nobody learns of would rest until the lease ends.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	now, token := s.now(), rand.Text()
	full, left := s.full(now), s.others()
	statements := asks[[2]bool{len(full) > 0, len(left) > 0}]
	var more []any
	if len(left) > 0 {
		more = []any{now.Add(-engine.LeftToOthers).UnixMicro(), left}
	}
	t, err := sqldb.One(ctx, s.db, scanTask, statements.take, append([]any{token, duequeue.Micros(now.Add(engine.Lease)), string(q), now.UnixMicro(), full}, more...)...)
	if err == nil {
		t.Token = token
		s.keep(t, now.Add(engine.Lease))
		return t, 0, nil
	}
	if !errors.Is(err, sqldb.ErrNotFound) {
		return engine.Task{}, 0, err
	}
	var at int64
	err = s.db.Row(ctx, statements.next, append([]any{string(q), full}, more...), &at)
	if errors.Is(err, sqldb.ErrNotFound) {
		return engine.Task{}, poll, nil
	}
	return engine.Task{}, min(max(time.UnixMicro(at).Sub(now), soon), poll), err
}

func (s *shared) hold(ctx context.Context, t engine.Task, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	res, err := s.db.SQL().ExecContext(ctx, `UPDATE engine_tasks SET at = $3 WHERE id = $1 AND token = $2 AND `+relaxed,
		t.ID, t.Token, duequeue.Micros(s.now().Add(d)))
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	switch {
	case err != nil:
		return err
	case n == 0:
		return engine.ErrStale
	}
	s.keep(t, s.now().Add(d))
	return nil
}

func (s *shared) token(t engine.Task) (string, error) {
	if t.Token == "" { // it was never handed out
		return "", engine.ErrStale
	}
	return t.Token, nil
}

func (s *shared) changed(b engine.Batch) (opened bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range append([]string{b.Ends.ID}, b.Done...) {
		if _, ok := s.out[id]; ok {
			delete(s.out, id)
			opened = true
		}
	}
	return opened
}
