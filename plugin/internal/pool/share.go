package pool

import (
	"context"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// Several processes share a database. Each looks at all instances whenever another one
// tells that something is different, and now and then; so it lets go of what others have
// claimed, also where WhatsApp does not say so, and knows how theirs are.

const (
	// lookEvery is how often the instances are read when nothing is told, and how often a
	// process says that it lives.
	lookEvery = 2 * time.Second
	// silence is how long a process may say nothing before it is taken for gone, and how long
	// an instance may have none before it is on everybody's board.
	silence = 4 * lookEvery
	// breath is the pause after each look, and after each show: many changes come together.
	breath = 50 * time.Millisecond
)

// share begins to look at what other processes do, and to show what this one does.
func (p *Pool) share(ctx context.Context, all []registry.Instance) error {
	beats, err := p.opts.Registry.Beats(ctx)
	if err == nil {
		err = p.opts.Registry.Beat(ctx, p.others.self) // before anything is shown
	}
	if err != nil {
		return err
	}
	p.others.see(all, beats)
	l := looker{Pool: p, waiting: map[string]wait{}, beaten: time.Now()}
	for _, r := range all {
		l.waiting[r.Name] = wait{told: true}
		p.notify(r.Name, unclaimedInfo(r).Status)
	}
	p.repeat(p.opts.Registry.Changed, l.look)
	shown := map[string]registry.Shown{}
	p.repeat(p.moved.wait, func(ctx context.Context) { p.show(ctx, shown) })
	return nil
}

// repeat does something now, when there is news, and after lookEvery, until Close.
func (p *Pool) repeat(news func() <-chan struct{}, do func(ctx context.Context)) {
	p.wg.Go(func() {
		for p.ctx.Err() == nil {
			next := news() // before it is done: nothing is missed in between
			ctx, cancel := context.WithTimeout(p.ctx, p.opts.Limits.Store)
			do(ctx)
			cancel()
			p.pause(nil, breath)
			p.pause(next, lookEvery)
		}
	})
}

// pause waits for news, at most for a time.
func (p *Pool) pause(news <-chan struct{}, limit time.Duration) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-news:
	case <-t.C:
	case <-p.ctx.Done():
	}
}

// looker looks at the instances of all processes.
type looker struct {
	*Pool
	waiting map[string]wait // by instance: nobody acts for it
	beaten  time.Time
}

type wait struct {
	since time.Time
	told  bool
}

// look says that this process lives, reads all instances, and acts on what is different.
func (l *looker) look(ctx context.Context) {
	if time.Since(l.beaten) >= lookEvery && l.opts.Registry.Beat(ctx, l.others.self) == nil {
		l.beaten = time.Now()
	}
	here := l.List()
	all, err := l.opts.Registry.Instances(ctx)
	var beats map[string]int64
	if err == nil {
		beats, err = l.opts.Registry.Beats(ctx)
	}
	if err != nil { // the next look is soon; until then nobody dials or sends without reading the lease
		l.others.blind()
		return
	}
	before, now, changed := l.others.see(all, beats)
	for _, i := range here {
		o, ok := now[i.name]
		switch {
		case !ok || !o.CreatedAt.Equal(i.created):
			l.drop(ctx, i)
		case o.Epoch > i.epoch.Load() && !i.isLost():
			_ = i.owned(ctx) // what was read may be older than our own claim
		}
	}
	for name := range before {
		if _, ok := now[name]; !ok {
			delete(l.waiting, name)
			l.disown(name)
		}
	}
	for name, o := range now {
		if o.owner == lives && before[name].owner != lives {
			l.disown(name)
		}
		l.wait(name, o)
	}
	if changed {
		l.moved.ring()
	}
}

// wait puts an instance on the board for which nobody acts, unless that is about to change.
func (l *looker) wait(name string, o other) {
	if o.owner == lives || o.owner == unsure || l.mine(name) != nil {
		delete(l.waiting, name)
		return
	}
	w, ok := l.waiting[name]
	if !ok {
		w.since = time.Now()
	}
	if !w.told && (o.owner == gone || time.Since(w.since) >= silence) {
		w.told = true
		l.notify(name, unclaimedInfo(o.Instance).Status)
	}
	l.waiting[name] = w
}

func (p *Pool) notify(name string, s Status) {
	if p.opts.Notify != nil {
		p.opts.Notify(name, s)
	}
}

// mine is an instance that this process has claimed, or nil.
func (p *Pool) mine(name string) *Instance {
	if i, err := p.Get(name); err == nil && !i.isLost() {
		return i
	}
	return nil
}

// disown says that an instance is not this process's, unless it is.
func (p *Pool) disown(name string) {
	if p.mine(name) != nil {
		return
	}
	p.removed(name)
	if i := p.mine(name); i != nil { // claimed in between
		p.notify(name, i.Status())
	}
}

// drop ends an instance that another process has deleted, and maybe created again.
func (p *Pool) drop(ctx context.Context, i *Instance) {
	i.cancel()
	select {
	case <-i.done:
	case <-ctx.Done():
	}
	p.forget(i)
}
