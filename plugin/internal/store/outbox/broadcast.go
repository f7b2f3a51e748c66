package outbox

import "sync"

// broadcast wakes those who wait for events of a type, and nobody else: each of them
// asks the database.
type broadcast struct {
	mu     sync.Mutex
	ch     map[string]chan struct{} // by type; "" is every type
	closed bool
}

// wait returns a channel that is closed by the next wake of the type. Take it before
// looking at what may have changed.
func (b *broadcast) wait(kind string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ch := b.ch[kind]; ch != nil {
		return ch
	}
	ch := make(chan struct{})
	if b.closed {
		close(ch)
		return ch
	}
	if b.ch == nil {
		b.ch = make(map[string]chan struct{})
	}
	b.ch[kind] = ch
	return ch
}

func (b *broadcast) wake(kind string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range [...]string{kind, ""} {
		if ch := b.ch[k]; ch != nil {
			close(ch)
			delete(b.ch, k)
		}
	}
}

func (b *broadcast) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, ch := range b.ch {
		close(ch)
	}
	clear(b.ch)
}

// Changed returns a channel that is closed when the next event of the type ("" is
// every type) is stored, or when the store closes. Take it before Read, and read again
// when it is closed. Events that another process stores in the same Postgres do not
// close it.
func (o *Outbox) Changed(kind string) <-chan struct{} { return o.broadcast.wait(kind) }

// Wake tells those who wait for events of a type that one has been stored.
func (o *Outbox) Wake(kind string) { o.broadcast.wake(kind) }
