package pool

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// Several processes share a database. Each looks at all instances whenever another one
// tells that something is different, and now and then; so it lets go of what others have
// claimed, also where WhatsApp does not say so, and knows how theirs are.

const (
	// lookEvery is how often the instances are read when nothing is told.
	lookEvery = 2 * time.Second
	// breath is the pause after each look, and after each show: many changes come together.
	breath = 50 * time.Millisecond
)

// share begins to look at what other processes do, and to show what this one does.
func (p *Pool) share(all []registry.Instance) {
	p.all, p.behind = byName(all), namesBehind(all)
	for _, r := range all {
		if r.Epoch == 0 && p.opts.Notify != nil {
			p.opts.Notify(r.Name, elsewhere(r).Status)
		}
	}
	p.wg.Go(func() {
		for p.ctx.Err() == nil {
			told := p.opts.Registry.Changed()
			ctx, cancel := context.WithTimeout(p.ctx, p.opts.Limits.Store)
			p.look(ctx)
			cancel()
			p.pause(told, lookEvery)
		}
	})
	p.wg.Go(func() {
		shown := map[string]registry.Shown{}
		for p.ctx.Err() == nil {
			moved := p.moved.wait()
			ctx, cancel := context.WithTimeout(p.ctx, p.opts.Limits.Store)
			p.show(ctx, shown)
			cancel()
			p.pause(moved, lookEvery)
		}
	})
}

// pause takes a breath, and then waits for news, at most for a time.
func (p *Pool) pause(news <-chan struct{}, limit time.Duration) {
	for _, wait := range []struct {
		news  <-chan struct{}
		limit time.Duration
	}{{nil, breath}, {news, limit}} {
		t := time.NewTimer(wait.limit)
		select {
		case <-wait.news:
		case <-t.C:
		case <-p.ctx.Done():
		}
		t.Stop()
	}
}

func byName(all []registry.Instance) map[string]registry.Instance {
	m := make(map[string]registry.Instance, len(all))
	for _, r := range all {
		m[r.Name] = r
	}
	return m
}

// look reads all instances, and acts on what is different.
func (p *Pool) look(ctx context.Context) {
	here := p.List()
	all, err := p.opts.Registry.Instances(ctx)
	if err != nil {
		return // the next look is soon; until then nobody dials or sends without reading the lease
	}
	now := byName(all)
	p.mu.Lock()
	before := p.all
	p.all, p.behind = now, namesBehind(all)
	p.mu.Unlock()
	for _, i := range here {
		r, ok := now[i.name]
		switch {
		case !ok || !r.CreatedAt.Equal(i.created):
			p.drop(ctx, i)
		case r.Epoch > i.epoch.Load() && !i.isLost():
			_ = i.owned(ctx) // what was read may be older than our own claim
		}
	}
	for name, r := range now {
		if r != before[name] && r.Epoch > 0 {
			p.disown(name)
		}
	}
	for name := range before {
		if _, ok := now[name]; !ok {
			p.disown(name)
		}
	}
	if !maps.Equal(before, now) {
		p.moved.ring()
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
	if i := p.mine(name); i != nil && p.opts.Notify != nil { // claimed in between
		p.opts.Notify(name, i.Status())
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

// Infos says how instances are, of all processes, by name; of one unless name is "".
func (p *Pool) Infos(ctx context.Context, name string) (infos []Info, err error) {
	if !p.opts.Leased {
		here := p.List()
		if name != "" {
			i, err := p.Get(name)
			if err != nil {
				return nil, err
			}
			here = []*Instance{i}
		}
		for _, i := range here {
			infos = append(infos, i.Info())
		}
		return infos, nil
	}
	var all []registry.Instance
	if name == "" {
		all, err = p.opts.Registry.Instances(ctx)
	} else {
		all = make([]registry.Instance, 1)
		all[0], err = p.opts.Registry.Instance(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if i := p.mine(r.Name); i != nil {
			infos = append(infos, i.Info())
		} else {
			infos = append(infos, elsewhere(r))
		}
	}
	return infos, nil
}

// show stores what has changed of this process's instances since the last time.
func (p *Pool) show(ctx context.Context, shown map[string]registry.Shown) {
	var news []registry.Shown
	for _, i := range p.List() {
		if i.isLost() {
			delete(shown, i.name)
			continue
		}
		now := registry.Shown{Name: i.name, Epoch: i.epoch.Load(), What: i.shows().text()}
		if shown[i.name] != now {
			news = append(news, now)
		}
	}
	if len(news) == 0 || p.opts.Registry.Show(ctx, news) != nil {
		return // the database's failure is in the node's health; the next time is soon
	}
	for _, s := range news {
		shown[s.Name] = s
	}
}

// leave shows, at the end of the pool, that nobody looks after its instances.
func (p *Pool) leave(ctx context.Context) error {
	if !p.opts.Leased {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.opts.Limits.Store)
	defer cancel()
	var last []registry.Shown
	for _, i := range p.List() {
		if i.isLost() {
			continue
		}
		s := i.shows()
		s.Behind = s.Behind || i.wanted()
		if i.cli.Load() != nil && s.State != LoggedOut {
			s.State, s.Since, s.Trouble = Disconnected, time.Now(), unclaimed()
		}
		last = append(last, registry.Shown{Name: i.name, Epoch: i.epoch.Load(), What: s.text()})
	}
	if len(last) == 0 {
		return nil
	}
	if err := p.opts.Registry.Show(ctx, last); err != nil && !errors.Is(err, sqldb.ErrClosed) {
		p.opts.Log.Warn("other processes do not know that this one lets its instances go", "error", err)
	}
	return nil
}
