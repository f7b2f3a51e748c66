// Package gather combines the queries of concurrent callers. Calls that arrive while a query is in
// progress wait for the next query, which covers all of them: a campaign to a thousand new people
// asks WhatsApp a few dozen times, and a single message never waits for others to arrive.
package gather

import (
	"context"
	"sync"
	"time"
)

// Gather asks about keys. Make one with [New]; its methods are safe for concurrent use.
type Gather[K, V any] struct {
	ask   func(ctx context.Context, keys []K) (V, error)
	limit int
	time  time.Duration

	mu      sync.Mutex
	next    *question[K, V] // the question that still accepts keys; nil: none
	waiting []*question[K, V]
	asking  bool
}

type question[K, V any] struct {
	keys   []K
	done   chan struct{}
	answer V
	err    error
}

// New returns a Gather. Each of its questions covers at most limit keys, or those of a single
// caller, and may take at most the given time.
func New[K, V any](limit int, time time.Duration, ask func(ctx context.Context, keys []K) (V, error)) *Gather[K, V] {
	return &Gather[K, V]{ask: ask, limit: limit, time: time}
}

// Do returns the answer to a question that includes the keys, and possibly keys of other callers,
// or ctx's error.
func (g *Gather[K, V]) Do(ctx context.Context, keys ...K) (V, error) {
	q := g.join(keys)
	select {
	case <-q.done:
		return q.answer, q.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

func (g *Gather[K, V]) join(keys []K) *question[K, V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next == nil || len(g.next.keys)+len(keys) > g.limit {
		g.next = &question[K, V]{done: make(chan struct{})}
		g.waiting = append(g.waiting, g.next)
	}
	g.next.keys = append(g.next.keys, keys...)
	if !g.asking {
		g.asking = true
		go g.run()
	}
	return g.next
}

// run asks until no question is left.
func (g *Gather[K, V]) run() {
	for q := g.take(); q != nil; q = g.take() {
		ctx, cancel := context.WithTimeout(context.Background(), g.time)
		q.answer, q.err = g.ask(ctx, q.keys)
		cancel()
		close(q.done)
	}
}

func (g *Gather[K, V]) take() *question[K, V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.asking = false
		return nil
	}
	q := g.waiting[0]
	g.waiting = g.waiting[1:]
	if q == g.next {
		g.next = nil
	}
	return q
}
