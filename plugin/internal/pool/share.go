package pool

import (
	"context"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// Several processes may share a database. Each process reads all instances at regular intervals,
// and whenever another process reports a change. It thereby releases instances that others have
// claimed, even if WhatsApp does not report that, and knows the state of the others' instances.

const (
	// lookEvery is how often the instances are read when no change is reported, and how often a
	// process writes its heartbeat.
	lookEvery = 2 * time.Second
	// silence is how long a process may go without a heartbeat before it is considered dead, and
	// how long an instance may be without a process before that is reported.
	silence = 4 * lookEvery
	// breath is the pause after each look and each show, so that many changes are handled together.
	breath = 50 * time.Millisecond
)

// share starts watching what other processes do and publishing what this one does.
func (p *Pool) share(ctx context.Context, all []registry.Instance) error {
	beats, err := p.opts.Registry.Beats(ctx)
	if err == nil {
		err = p.opts.Registry.Beat(ctx, p.others.self) // before anything is published
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

// repeat calls do at once, then on every change and at least every lookEvery, until Close.
func (p *Pool) repeat(news func() <-chan struct{}, do func(ctx context.Context)) {
	p.wg.Go(func() {
		for p.ctx.Err() == nil {
			next := news() // taken before do runs, so that no change is missed in between
			ctx, cancel := context.WithTimeout(p.ctx, p.opts.Limits.Store)
			do(ctx)
			cancel()
			p.pause(nil, breath)
			p.pause(next, lookEvery)
		}
	})
}

// pause waits for news, but no longer than limit.
func (p *Pool) pause(news <-chan struct{}, limit time.Duration) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-news:
	case <-t.C:
	case <-p.ctx.Done():
	}
}

// looker watches the instances of all processes.
type looker struct {
	*Pool
	waiting map[string]wait // instances that no process runs, by name
	beaten  time.Time
}

type wait struct {
	since time.Time
	told  bool
}

// look writes this process's heartbeat, reads all instances and handles the changes.
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
	if err != nil { // the next look comes soon; until then every dial and send reads the lease first
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
			_ = i.owned(ctx) // owned reads again: the data above may be older than our own claim
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

// wait reports an instance that no process runs, unless that is about to change.
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

// mine returns the instance if this process has claimed it, or nil.
func (p *Pool) mine(name string) *Instance {
	if i, err := p.Get(name); err == nil && !i.isLost() {
		return i
	}
	return nil
}

// disown reports that an instance no longer belongs to this process, unless it does.
func (p *Pool) disown(name string) {
	if p.mine(name) != nil {
		return
	}
	p.removed(name)
	if i := p.mine(name); i != nil { // claimed in between
		p.notify(name, i.Status())
	}
}

// drop stops an instance that another process has deleted, and possibly created again.
func (p *Pool) drop(ctx context.Context, i *Instance) {
	i.cancel()
	select {
	case <-i.done:
	case <-ctx.Done():
	}
	p.forget(i)
}
