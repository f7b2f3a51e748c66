package store

import "sync"

// broadcast wakes everybody who waits.
type broadcast struct {
	mu     sync.Mutex
	ch     chan struct{}
	closed bool
}

// wait returns a channel that is closed by the next all. Take it before looking
// at what may have changed.
func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
		if b.closed {
			close(b.ch)
		}
	}
	return b.ch
}

func (b *broadcast) all() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil && !b.closed {
		close(b.ch)
		b.ch = nil
	}
}

func (b *broadcast) close() {
	b.all()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}

// Changed returns a channel that is closed when the next event is stored, or when
// the store closes. Take it before Read, and read again when it is closed. Events
// that another process stores in the same Postgres do not close it.
func (s *Store) Changed() <-chan struct{} { return s.wake.wait() }
