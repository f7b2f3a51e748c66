package sqllog

import (
	"container/heap"
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// owned is the desk of a SQLite file, which one process owns: leases live in memory, with
// the tasks that are due soon. The others stay in the file until their time comes near, so
// that a hundred thousand waits cost no memory.
type owned struct {
	db  *sqldb.DB
	now func() time.Time

	mu   sync.Mutex
	soon map[engine.Queue]*dueQueue
}

const (
	// horizon is how early a task is read from the file.
	horizon = time.Minute
	// taskPage is how many tasks are read at once.
	taskPage = 1000
)

func newOwned(db *sqldb.DB, now func() time.Time) *owned {
	return &owned{db: db, now: now, soon: map[engine.Queue]*dueQueue{engine.Calls: newDueQueue(), engine.Timers: newDueQueue()}}
}

// dueQueue is the tasks of a queue that are in memory.
type dueQueue struct {
	heap dueHeap
	byID map[string]*due
	// read is the place up to which every task of the file is here.
	read place
}

func newDueQueue() *dueQueue { return &dueQueue{byID: map[string]*due{}} }

// due is a task and the place of its next turn.
type due struct {
	engine.Task
	place
	index int // in the heap
}

// place orders tasks by their time, in microseconds, and then by their id.
type place struct {
	at int64
	id string
}

func (p place) before(q place) bool { return p.at < q.at || p.at == q.at && p.id < q.id }

func (o *owned) take(ctx context.Context, q engine.Queue) (engine.Task, time.Duration, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	soon, now := o.soon[q], o.now()
	micro := now.UnixMicro()
	for soon.read.at <= micro && (len(soon.heap) == 0 || soon.read.before(soon.heap[0].place)) {
		if err := o.load(ctx, q, micros(now.Add(horizon))); err != nil {
			return engine.Task{}, 0, err
		}
	}
	next := soon.read.at
	if len(soon.heap) > 0 {
		first := soon.heap[0]
		if first.at <= micro {
			first.Token = rand.Text()
			soon.move(first, micros(now.Add(engine.Lease)))
			return first.Task, 0, nil
		}
		next = min(next, first.at)
	}
	return engine.Task{}, time.Duration(next-micro) * time.Microsecond, nil
}

// load reads the tasks behind those that were read, up to a time.
func (o *owned) load(ctx context.Context, q engine.Queue, until int64) error {
	soon := o.soon[q]
	tasks, err := sqldb.All(ctx, o.db, scanTask, `SELECT id, run, kind, visit, attempt, due FROM engine_tasks
		WHERE queue = $1 AND at <= $2 AND (at, id) > ($3, $4) ORDER BY at, id LIMIT $5`, string(q), until, soon.read.at, soon.read.id, taskPage)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if _, known := soon.byID[t.ID]; !known {
			soon.push(t)
		}
	}
	if soon.read = (place{until + 1, ""}); len(tasks) == taskPage {
		last := tasks[len(tasks)-1]
		soon.read = place{micros(last.Due), last.ID}
	}
	return nil
}

// held finds a task by its lease.
func (o *owned) held(t engine.Task) (*dueQueue, *due, error) {
	soon := o.soon[t.Queue()]
	d, ok := soon.byID[t.ID]
	if !ok || t.Token == "" || d.Token != t.Token {
		return nil, nil, engine.ErrStale
	}
	return soon, d, nil
}

func (o *owned) hold(_ context.Context, t engine.Task, d time.Duration) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	soon, held, err := o.held(t)
	if err == nil {
		soon.move(held, micros(o.now().Add(d)))
	}
	return err
}

func (o *owned) token(t engine.Task) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _, err := o.held(t)
	return "", err
}

func (o *owned) changed(b engine.Batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range append([]string{b.Ends.ID}, b.Done...) {
		for _, soon := range o.soon {
			soon.remove(id)
		}
	}
	for _, t := range b.Tasks {
		for _, soon := range o.soon {
			soon.remove(t.ID) // its like, which it replaces
		}
		if soon := o.soon[t.Queue()]; !soon.read.before(place{micros(t.Due), t.ID}) {
			soon.push(t)
		}
	}
}

func (q *dueQueue) push(t engine.Task) {
	t.Token = ""
	d := &due{Task: t, place: place{micros(t.Due), t.ID}}
	q.byID[t.ID] = d
	heap.Push(&q.heap, d)
}

func (q *dueQueue) move(d *due, at int64) {
	d.at = at
	heap.Fix(&q.heap, d.index)
}

func (q *dueQueue) remove(id string) {
	if d, ok := q.byID[id]; ok {
		heap.Remove(&q.heap, d.index)
		delete(q.byID, id)
	}
}

// dueHeap implements heap.Interface: the earliest first.
type dueHeap []*due

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].before(h[j].place) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *dueHeap) Push(x any) {
	d, _ := x.(*due)
	d.index = len(*h)
	*h = append(*h, d)
}

func (h *dueHeap) Pop() any {
	old := *h
	d := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return d
}
