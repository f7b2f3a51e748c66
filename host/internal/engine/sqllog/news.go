package sqllog

import (
	"context"
	"sync"
	"time"
)

// sleepAtMost waits for news, and on Postgres a moment at most: other hosts bring some, too.
func (l *Log) sleepAtMost(ctx context.Context, more <-chan struct{}, moment time.Duration) bool {
	var others <-chan time.Time
	if l.owned == nil {
		timer := time.NewTimer(moment)
		defer timer.Stop()
		others = timer.C
	}
	select {
	case <-more:
	case <-others:
	case <-ctx.Done():
		return false
	case <-l.done:
		return false
	}
	return true
}

// news wakes everybody who waits for them.
type news struct {
	mu   sync.Mutex
	more chan struct{} // nil: nobody waits
}

func (n *news) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.more == nil {
		n.more = make(chan struct{})
	}
	return n.more
}

func (n *news) wake() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.more != nil {
		close(n.more)
		n.more = nil
	}
}
