// Package gather asks one question for all who wait for an answer. Who comes while a question is
// under way waits for the next one, which is for everybody who has come by then: a campaign to a
// thousand new people asks WhatsApp as often as a few dozen, and one message waits for nobody.
package gather

import (
	"context"
	"sync"
	"time"
)

// Gather asks about keys. New one with [New]; its methods are safe for concurrent use.
type Gather[K, V any] struct {
	ask   func(ctx context.Context, keys []K) (V, error)
	limit int
	time  time.Duration

	mu      sync.Mutex
	next    *question[K, V] // that still takes keys; nil: nobody waits
	waiting []*question[K, V]
	asking  bool
}

type question[K, V any] struct {
	keys   []K
	done   chan struct{}
	answer V
	err    error
}

// New returns a Gather whose questions are about limit keys, or those of one caller, at most, and
// may take so long.
func New[K, V any](limit int, time time.Duration, ask func(ctx context.Context, keys []K) (V, error)) *Gather[K, V] {
	return &Gather[K, V]{ask: ask, limit: limit, time: time}
}

// Do returns the answer to a question that holds the keys, which others may have, too, or ctx's end.
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

// run asks until nobody waits.
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
