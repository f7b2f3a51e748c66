package sqllog

import (
	"context"
	"sync"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/duequeue"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// owned is the desk of a SQLite file, which one process owns: leases live in memory, with
// the tasks that are due soon. The others stay in the file until their time comes near, so
// that a hundred thousand waits cost no memory.
type owned struct {
	db  *sqldb.DB
	now func() time.Time

	mu   sync.Mutex
	soon map[engine.Queue]*soonDue
}

// soonDue has the tasks of a queue that are in memory.
type soonDue struct {
	*duequeue.Queue[engine.Task]
	// read is the place up to which all tasks of the file are in memory.
	read duequeue.Place
}

const (
	// horizon is how long before its time a task is read from the file.
	horizon = time.Minute
	// taskPage is how many tasks are read at once.
	taskPage = 1000
)

func newOwned(db *sqldb.DB, now func() time.Time) *owned {
	o := &owned{db: db, now: now, soon: map[engine.Queue]*soonDue{}}
	for _, name := range engine.Queues {
		o.soon[name] = &soonDue{Queue: duequeue.New[engine.Task](engine.LaneWidth)}
	}
	return o
}

// leave does nothing: no other process uses the file.
func (o *owned) leave([]string) {}

func (o *owned) take(ctx context.Context, q engine.Queue) (engine.Task, time.Duration, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	soon, now := o.soon[q], o.now()
	micro := now.UnixMicro()
	for soon.read.At <= micro {
		if next, some := soon.Next(); some && next.Before(soon.read) {
			break // a task in memory comes first
		}
		if err := o.load(ctx, q, duequeue.Micros(now.Add(horizon))); err != nil {
			return engine.Task{}, 0, err
		}
	}
	t, token, ok := soon.Take(micro, duequeue.Micros(now.Add(engine.Lease)))
	if ok {
		t.Token = token
		return t, 0, nil
	}
	next := soon.read.At
	if first, some := soon.Next(); some {
		next = min(next, first.At)
	}
	return engine.Task{}, time.Duration(next-micro) * time.Microsecond, nil
}

// load reads the tasks after those that were read before, up to a time.
func (o *owned) load(ctx context.Context, q engine.Queue, until int64) error {
	soon := o.soon[q]
	tasks, err := sqldb.All(ctx, o.db, scanTask, `SELECT id, run, kind, visit, attempt, due, lane FROM engine_tasks
		WHERE queue = $1 AND at <= $2 AND (at, id) > ($3, $4) ORDER BY at, id LIMIT $5`, string(q), until, soon.read.At, soon.read.ID, taskPage)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if !soon.Has(t.ID) {
			soon.add(t)
		}
	}
	if soon.read = (duequeue.Place{At: until + 1}); len(tasks) == taskPage {
		last := tasks[len(tasks)-1]
		soon.read = duequeue.Place{At: duequeue.Micros(last.Due), ID: last.ID}
	}
	return nil
}

func (s *soonDue) add(t engine.Task) { s.Add(t.ID, t.Lane, duequeue.Micros(t.Due), t) }

func (o *owned) hold(_ context.Context, t engine.Task, d time.Duration) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	soon := o.soon[t.Queue()]
	if !soon.Held(t.ID, t.Token) {
		return engine.ErrStale
	}
	soon.Hold(t.ID, duequeue.Micros(o.now().Add(d)))
	return nil
}

func (o *owned) token(t engine.Task) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.soon[t.Queue()].Held(t.ID, t.Token) {
		return "", engine.ErrStale
	}
	return "", nil
}

func (o *owned) crowded(string) bool { return false } // looking costs nothing

func (o *owned) changed(b engine.Batch) (opened bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range append([]string{b.Ends.ID}, b.Done...) {
		for _, soon := range o.soon {
			opened = soon.Remove(id) || opened
		}
	}
	for _, t := range b.Tasks {
		for _, soon := range o.soon { // the task that it replaces
			opened = soon.Remove(t.ID) || opened
		}
		if soon := o.soon[t.Queue()]; !soon.read.Before(duequeue.Place{At: duequeue.Micros(t.Due), ID: t.ID}) {
			soon.add(t)
		}
	}
	return opened
}
