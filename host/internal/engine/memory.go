package engine

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine/duequeue"
)

// Bounds of a Memory.
const (
	// defaultRuns is how many runs it keeps by default.
	defaultRuns = 100_000
	// maxBytes is how large all states together may be before it is full.
	maxBytes = 256 << 20
)

// Memory is a Log that lives as long as the process. When it is full, the runs
// that were over first make room for a new one.
type Memory struct {
	maxRuns int

	mu     sync.Mutex
	runs   map[string]*memoryRun
	over   *list.List // run ids, those that were over first in front
	waits  map[string]Wait
	tasks  map[string]Task
	queues map[Queue]*memoryQueue
	steps  *stepRing
	bytes  int // of all states
	flows  map[string]Version
	tried  map[string]bool // by the digests of versions

	letters memoryLetters
	claims  memoryClaims
	// changes counts the changes of the published flows; each closes changed and makes it anew.
	changes uint64
	changed chan struct{}
}

type memoryRun struct {
	revision uint64
	state    []byte
	found    Found
	digest   string
	waits    map[string]struct{}
	tasks    map[string]struct{}
	over     *list.Element // nil while it is not over
	claim    string
}

// NewMemory returns an empty Memory for maxRuns runs; 0 is defaultRuns.
func NewMemory(maxRuns int) *Memory {
	if maxRuns <= 0 {
		maxRuns = defaultRuns
	}
	return &Memory{maxRuns: maxRuns, runs: map[string]*memoryRun{}, over: list.New(), waits: map[string]Wait{}, tasks: map[string]Task{},
		queues: newMemoryQueues(), steps: newStepRing(keepSteps), flows: map[string]Version{}, tried: map[string]bool{}, letters: memoryLetters{cursors: map[string][]byte{}}, claims: memoryClaims{},
		changed: make(chan struct{})}
}

// Append implements Log.
func (m *Memory) Append(_ context.Context, b Batch) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.runs[b.Run]
	switch {
	case !ok && b.Expect != 0, ok && r.revision != b.Expect:
		return 0, fmt.Errorf("append to run %s at revision %d: %w", b.Run, b.Expect, ErrConflict)
	case b.Ends.ID != "" && !m.holds(b.Ends):
		return 0, fmt.Errorf("append to run %s: task %s: %w", b.Run, b.Ends.ID, ErrStale)
	}
	if err := m.claims.allow(b, r); err != nil {
		return 0, err
	}
	if !ok {
		if err := m.makeRoom(); err != nil {
			return 0, err
		}
		r = &memoryRun{waits: map[string]struct{}{}, tasks: map[string]struct{}{}, claim: b.Claim}
		m.runs[b.Run] = r
	}
	b.Tasks = append(b.Tasks, m.claims.note(b, r)...)
	r.revision++
	m.bytes += len(b.State) - len(r.state)
	r.state = b.State
	m.drop(b.Ends.ID)
	for _, id := range b.Done {
		m.drop(id)
	}
	for _, w := range b.Waits {
		m.waits[w.Correlation] = w
		r.waits[w.Correlation] = struct{}{}
	}
	for _, t := range b.Tasks {
		m.drop(t.ID)
		r.tasks[t.ID] = struct{}{}
		m.tasks[t.ID] = t
		m.queues[t.Queue()].add(t)
	}
	if r.over != nil && !b.Over {
		m.over.Remove(r.over)
		r.over = nil
	} else if r.over == nil && b.Over {
		r.over = m.over.PushBack(b.Run)
	}
	r.file(b)
	m.steps.add(b.Steps)
	m.letters.putCursor(b.Cursor)
	return r.revision, nil
}

// makeRoom removes runs that are over until there is room for another.
func (m *Memory) makeRoom() error {
	for len(m.runs) >= m.maxRuns || m.bytes > maxBytes {
		first := m.over.Front()
		if first == nil {
			return fmt.Errorf("%d runs are going on: %w", len(m.runs), ErrFull)
		}
		id, _ := m.over.Remove(first).(string)
		m.forget(id)
	}
	return nil
}

func (m *Memory) forget(run string) {
	r := m.runs[run]
	for t := range r.tasks {
		m.drop(t)
	}
	for w := range r.waits {
		delete(m.waits, w)
	}
	m.bytes -= len(r.state)
	delete(m.runs, run)
}

// drop removes a task everywhere.
func (m *Memory) drop(id string) {
	t, ok := m.tasks[id]
	if !ok {
		return
	}
	m.queues[t.Queue()].remove(id)
	delete(m.tasks, id)
	if r := m.runs[t.Run]; r != nil {
		delete(r.tasks, id)
	}
}

// Load implements Log.
func (m *Memory) Load(_ context.Context, run string) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.runs[run]
	if !ok {
		return Record{}, ErrNotFound
	}
	return Record{Revision: r.revision, State: r.state}, nil
}

// Wait implements Log.
func (m *Memory) Wait(_ context.Context, correlation string) (Wait, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, ok := m.waits[correlation]
	if ok && w.Expires.Before(time.Now()) {
		delete(m.waits, correlation)
		delete(m.runs[w.Run].waits, correlation)
		ok = false
	}
	if !ok {
		return Wait{}, ErrNotFound
	}
	return w, nil
}

// Leave does nothing: no other process shares a Memory.
func (m *Memory) Leave([]string) {}

// Next implements Log.
func (m *Memory) Next(ctx context.Context, q Queue) (Task, error) {
	for {
		m.mu.Lock()
		t, wait, ok := m.queues[q].take(time.Now())
		m.mu.Unlock()
		if ok {
			return t, nil
		}
		if err := m.queues[q].sleep(ctx, wait); err != nil {
			return Task{}, err
		}
	}
}

// holds says whether a task is still handed out under the token that it has.
func (m *Memory) holds(t Task) bool {
	return m.queues[t.Queue()].due.Held(t.ID, t.Token)
}

// Hold implements Log.
func (m *Memory) Hold(_ context.Context, t Task, d time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.holds(t) {
		return fmt.Errorf("hold task %s: %w", t.ID, ErrStale)
	}
	m.queues[t.Queue()].hold(t.ID, time.Now().Add(d))
	return nil
}

// Drop implements Log.
func (m *Memory) Drop(_ context.Context, t Task) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holds(t) {
		m.drop(t.ID)
	}
	return nil
}

// Publish implements Log.
func (m *Memory) Publish(_ context.Context, steps ...Step) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.steps.add(steps)
	return nil
}

// memoryQueue hands out tasks in the order they are due. Its owner's lock guards all fields but
// wake.
type memoryQueue struct {
	due *duequeue.Queue[Task]
	// wake holds one token when a worker should look again. The worker that takes it looks, and
	// passes it on if there is more to look at.
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

// take leases the first task that is due, or says how long to wait for one.
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
		q.signal() // in case this worker was meant by the token
		return ctx.Err()
	}
	return nil
}
