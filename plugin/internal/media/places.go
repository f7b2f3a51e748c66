package media

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// places limits the concurrent users of each key, who are served in order of arrival. It stores
// only the keys that are in use or waited for.
type places struct {
	each int64
	mu   sync.Mutex
	keys map[string]*key
}

type key struct {
	free  *semaphore.Weighted
	users int
}

func newPlaces(each int64) *places { return &places{each: each, keys: map[string]*key{}} }

// take waits for a place of the key and holds it until release. The error is the context's.
func (p *places) take(ctx context.Context, name string) (release func(), err error) {
	p.mu.Lock()
	k := p.keys[name]
	if k == nil {
		k = &key{free: semaphore.NewWeighted(p.each)}
		p.keys[name] = k
	}
	k.users++
	p.mu.Unlock()

	if err := k.free.Acquire(ctx, 1); err != nil {
		p.leave(name, k)
		return nil, err
	}
	return func() {
		k.free.Release(1)
		p.leave(name, k)
	}, nil
}

func (p *places) leave(name string, k *key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k.users--; k.users == 0 {
		delete(p.keys, name)
	}
}
