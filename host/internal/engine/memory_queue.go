package engine

import (
	"context"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine/duequeue"
)

// memoryQueue hands out tasks in the order of time. Its owner's lock guards all
// but wake.
type memoryQueue struct {
	due *duequeue.Queue[Task]
	// wake holds one token when somebody should look again. Whoever takes it looks,
	// and passes it on if there is more to look at.
	wake chan struct{}
}

func newMemoryQueues() map[Queue]*memoryQueue {
	out := map[Queue]*memoryQueue{}
	for _, name := range Queues {
		out[name] = &memoryQueue{due: duequeue.New[Task](LaneWidth), wake: make(chan struct{}, 1)}
	}
	return out
}

func (q *memoryQueue) add(t Task) {
	q.due.Add(t.ID, t.Lane, duequeue.Micros(t.Due), t)
	q.signal()
}

// remove takes a task out, which may make room in its lane.
func (q *memoryQueue) remove(id string) {
	if q.due.Remove(id) {
		q.signal()
	}
}

func (q *memoryQueue) hold(id string, until time.Time) {
	q.due.Hold(id, duequeue.Micros(until))
	q.signal()
}

func (q *memoryQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // a token is there already
	}
}

// take leases the first task that is due, or says how long there is none.
func (q *memoryQueue) take(now time.Time) (_ Task, wait time.Duration, ok bool) {
	t, token, ok := q.due.Take(now.UnixMicro(), duequeue.Micros(now.Add(Lease)))
	if ok {
		t.Token = token
		q.signal() // there may be more
		return t, 0, true
	}
	next, some := q.due.Next()
	if !some {
		return Task{}, time.Hour, false
	}
	return Task{}, time.UnixMicro(next.At).Sub(now), false
}

// sleep waits for a token, or for a time to pass.
func (q *memoryQueue) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-q.wake:
	case <-timer.C:
	case <-ctx.Done():
		q.signal() // in case the token came to us
		return ctx.Err()
	}
	return nil
}
