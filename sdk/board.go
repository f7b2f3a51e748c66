package sdk

import (
	"cmp"
	"context"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// maxSubjects bounds a Board, as a guard against a node that adds subjects without end.
const maxSubjects = 10_000

// Board holds the health of a process and of the subjects it looks after. Writers never wait: a
// slow watcher sees the latest state of each subject, not every state in between. Its methods are
// safe for concurrent use.
type Board struct {
	mu       sync.Mutex
	subjects map[string]Health
	watchers map[*watcher]struct{}
}

// watcher is one reader of the board, with the states it has not seen yet, oldest first.
type watcher struct {
	pending map[string]Health
	order   []string
	wake    chan struct{}
}

// NewBoard returns an empty board.
func NewBoard() *Board {
	return &Board{subjects: map[string]Health{}, watchers: map[*watcher]struct{}{}}
}

// Set records the state of a subject; "" is the process. A zero Since means now or, if the State
// stays the same, the time it already has. Watchers are not notified when nothing changes. The
// board takes 10 000 subjects; further ones are logged and left out.
func (b *Board) Set(h Health) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h.Removed = false
	old, known := b.subjects[h.Subject]
	if !known && len(b.subjects) >= maxSubjects {
		slog.Error("health board is full", "subjects", maxSubjects)
		return
	}
	if h.Since.IsZero() {
		h.Since = time.Now()
		if known && old.State == h.State {
			h.Since = old.Since
		}
	}
	if known && old == h {
		return
	}
	b.subjects[h.Subject] = h
	b.tell(h)
}

// Remove takes a subject off the board.
func (b *Board) Remove(subject string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h, known := b.subjects[subject]
	if !known {
		return
	}
	delete(b.subjects, subject)
	h.Removed, h.Since = true, time.Now()
	b.tell(h)
}

// Snapshot returns every subject's state, the process first, then by name.
func (b *Board) Snapshot() []Health {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sorted()
}

// Watch yields the state of every subject and then each change, until ctx ends
// or the loop is left.
func (b *Board) Watch(ctx context.Context) iter.Seq[Health] {
	return func(yield func(Health) bool) {
		w := &watcher{pending: map[string]Health{}, wake: make(chan struct{}, 1)}
		b.mu.Lock()
		for _, h := range b.sorted() {
			w.add(h)
		}
		b.watchers[w] = struct{}{}
		b.mu.Unlock()
		defer func() {
			b.mu.Lock()
			delete(b.watchers, w)
			b.mu.Unlock()
		}()
		for ctx.Err() == nil {
			b.mu.Lock()
			h, ok := w.next()
			b.mu.Unlock()
			if ok {
				if !yield(h) {
					return
				}
				continue
			}
			select {
			case <-w.wake:
			case <-ctx.Done():
			}
		}
	}
}

// ensure adds the process to a board whose owner has not done so.
func (b *Board) ensure(h Health) {
	b.mu.Lock()
	_, known := b.subjects[h.Subject]
	b.mu.Unlock()
	if !known {
		b.Set(h)
	}
}

func (b *Board) sorted() []Health {
	all := make([]Health, 0, len(b.subjects))
	for _, h := range b.subjects {
		all = append(all, h)
	}
	slices.SortFunc(all, func(x, y Health) int { return cmp.Compare(x.Subject, y.Subject) })
	return all
}

func (b *Board) tell(h Health) {
	for w := range b.watchers {
		w.add(h)
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// add queues the latest state of a subject, in the place of an unseen older one.
func (w *watcher) add(h Health) {
	if _, waiting := w.pending[h.Subject]; !waiting {
		w.order = append(w.order, h.Subject)
	}
	w.pending[h.Subject] = h
}

func (w *watcher) next() (Health, bool) {
	if len(w.order) == 0 {
		return Health{}, false
	}
	subject := w.order[0]
	w.order = w.order[1:]
	h := w.pending[subject]
	delete(w.pending, subject)
	return h, true
}

// HealthState grades a subject.
type HealthState string

// The states of flownode.v1.
const (
	Starting  HealthState = "STARTING"  // not ready yet
	Healthy   HealthState = "HEALTHY"   // works
	Degraded  HealthState = "DEGRADED"  // works partly, or comes back by itself
	Unhealthy HealthState = "UNHEALTHY" // does not work until somebody acts
)

// Health is the state of one subject: the process ("") or something the node looks after, e.g. a
// WhatsApp instance.
type Health struct {
	Subject string      `json:"subject"`
	State   HealthState `json:"state"`
	Reason  string      `json:"reason,omitempty"`  // stable, snake_case
	Message string      `json:"message,omitempty"` // what is wrong and what to do
	Since   time.Time   `json:"since"`
	Removed bool        `json:"removed,omitempty"` // the subject is gone
}
