package pool

import (
	"sync"
	"time"
)

// While a message takes longer than slow to store, more messages may wait behind it that we do not
// see yet; they are stored within catchUp after it.
const (
	slow    = 300 * time.Millisecond
	catchUp = time.Second
)

// Away lists the instances for which WhatsApp may still have undelivered events: instances that
// should be online but are not, that have not yet received everything kept for them, that failed to
// store some of it or are slow to, or whose connection is silent. An instance that should not be
// online is not listed. For an instance claimed by another process, that process decides. changed
// is closed when the list may have changed.
func (p *Pool) Away() (names []string, changed <-chan struct{}) {
	changed = p.moved.wait()
	for _, i := range p.List() {
		if i.away() {
			names = append(names, i.name)
		}
	}
	p.others.mu.RLock()
	elsewhere := p.others.behind
	p.others.mu.RUnlock()
	for _, name := range elsewhere {
		if p.mine(name) == nil {
			names = append(names, name)
		}
	}
	return names, changed
}

func (i *Instance) away() bool {
	if !i.wanted() {
		return false
	}
	now := i.Status()
	silent := now.Trouble != nil && now.Trouble.Code == codeKeepAlive
	return now.State != Connected || silent || i.heard.Load() != i.dials.Load() || i.kept.Load() > 0 || i.slow.Load() > 0
}

// timed marks the instance as away while an incoming item takes longer than slow to store, until
// catchUp after done is called.
func (i *Instance) timed() (done func()) {
	add := func(n int64) {
		i.slow.Add(n)
		i.pool.moved.ring()
	}
	t := time.AfterFunc(slow, func() { add(1) })
	return func() {
		if !t.Stop() {
			time.AfterFunc(catchUp, func() { add(-1) })
		}
	}
}

// bell wakes all its waiters at once.
type bell struct {
	mu sync.Mutex
	ch chan struct{}
}

// wait returns a channel that is closed at the next ring.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
