package pool

import (
	"context"
	"encoding/json"
	"maps"

	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// shows is what the process that has claimed an instance shows of it to the others, in the
// registry.
type shows struct {
	Status
	Account Account
	Behind  bool   // see Away
	Process string // that acts for it; "": it has let it go
	Epoch   uint64 // of its lease
}

// shows is what is shown of an instance that this process has claimed.
func (i *Instance) shows(process string) registry.Shown {
	s := shows{Status: i.Status(), Account: i.Account(), Behind: i.away(), Process: process, Epoch: i.epoch.Load()}
	b, _ := json.Marshal(s) // texts and times always encode
	return registry.Shown{Name: i.name, Epoch: s.Epoch, What: string(b)}
}

// show stores what has changed of this process's instances since the last time.
func (p *Pool) show(ctx context.Context, shown map[string]registry.Shown) {
	maps.DeleteFunc(shown, func(name string, _ registry.Shown) bool { return p.mine(name) == nil })
	var news []registry.Shown
	for _, i := range p.List() {
		if now := i.shows(p.others.self); !i.isLost() && shown[i.name] != now {
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

// leave shows, at the end of the pool, that nobody acts for its instances any more.
func (p *Pool) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, p.opts.Limits.Store)
	defer cancel()
	var last []registry.Shown
	for _, i := range p.List() {
		if !i.isLost() {
			last = append(last, i.shows(""))
		}
	}
	if len(last) == 0 {
		return
	}
	if err := p.opts.Registry.Show(ctx, last); err != nil {
		p.opts.Log.Warn("other processes are not told that this one lets its instances go", "error", err)
	}
}
