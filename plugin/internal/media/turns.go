package media

import (
	"context"
	"sync"
)

// turns lets one at a time work on a key. It holds the keys that are worked on, no
// more of them than a Loader has slots.
type turns struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when it is the next one's turn
}

// take waits for the key's turn, which ends with release. The error is the context's.
func (t *turns) take(ctx context.Context, key string) (release func(), err error) {
	for {
		t.mu.Lock()
		other, busy := t.busy[key]
		if !busy {
			mine := make(chan struct{})
			if t.busy == nil {
				t.busy = map[string]chan struct{}{}
			}
			t.busy[key] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.busy, key)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
