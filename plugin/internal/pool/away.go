package pool

import (
	"sync"
	"time"
)

// A message whose storing takes longer than slow has others behind it, of which nobody knows;
// they are stored within catchUp after it.
const (
	slow    = 300 * time.Millisecond
	catchUp = time.Second
)

// Away lists the instances that may have more coming from WhatsApp than they have been given:
// those that are to be online and are not, were not yet given all that was kept for them, could
// not store some of it or take long to, or have a line that is silent. An instance that nobody wants online is
// not waited for. Of an instance that another process has claimed that one says it. changed
// is closed when the list may be another one.
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

// timed says that the instance is away while something that came in takes long, until done and
// a moment more.
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

// bell wakes everybody who waits for it.
type bell struct {
	mu sync.Mutex
	ch chan struct{}
}

// wait returns a channel that is closed when it rings next.
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
