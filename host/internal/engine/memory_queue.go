package engine

import (
	"container/heap"
	"context"
	"crypto/rand"
	"time"
)

// memoryTask is a Task and when it is handed out next: when it is due or, once
// handed out, when its lease ends.
type memoryTask struct {
	Task
	at    time.Time
	index int // in the heap
}

// memoryQueue hands out tasks in the order of time. Its owner's lock guards all
// but wake.
type memoryQueue struct {
	due taskHeap
	// wake holds one token when somebody should look again. Whoever takes it looks,
	// and passes it on if there is more to look at.
	wake chan struct{}
}

func newMemoryQueue() *memoryQueue { return &memoryQueue{wake: make(chan struct{}, 1)} }

func (q *memoryQueue) add(t Task) *memoryTask {
	mt := &memoryTask{Task: t, at: t.Due}
	heap.Push(&q.due, mt)
	q.signal()
	return mt
}

func (q *memoryQueue) postpone(t *memoryTask, at time.Time) {
	t.at = at
	heap.Fix(&q.due, t.index)
	q.signal()
}

func (q *memoryQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // a token is there already
	}
}

// take leases the first task that is due, or says how long there is none.
func (q *memoryQueue) take(now time.Time) (t Task, wait time.Duration, ok bool) {
	if len(q.due) == 0 {
		return Task{}, time.Hour, false
	}
	first := q.due[0]
	if wait := first.at.Sub(now); wait > 0 {
		return Task{}, wait, false
	}
	first.Token = rand.Text()
	q.postpone(first, now.Add(Lease))
	return first.Task, 0, true
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

// taskHeap implements heap.Interface: the earliest first.
type taskHeap []*memoryTask

func (h taskHeap) Len() int           { return len(h) }
func (h taskHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h taskHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *taskHeap) Push(x any) {
	t, _ := x.(*memoryTask)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *taskHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return t
}
