package pool

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// others is what a process knows of the instances of all that share its database, as it saw
// them last.
type others struct {
	self string // this process

	mu     sync.RWMutex
	all    map[string]other
	behind []string // as their processes show it
	peers  map[string]peer
	blunt  bool // the last look failed: nobody can have been heard
}

// other is an instance, whoever has claimed it.
type other struct {
	registry.Instance
	says  shows // the one that has claimed it
	owner owner
}

// owner is what is known of the process that shows an instance under its present lease.
type owner int

const (
	nobody owner = iota
	gone         // it has said nothing for silence
	unsure       // it was there before we were
	lives
)

// peer is a process on the database. Their clocks may differ, so what counts is when we saw
// that its beat was another one.
type peer struct {
	beat  int64
	at    time.Time
	state owner
}

func newOthers() *others { return &others{self: rand.Text()} }

// blind says that a look has failed.
func (o *others) blind() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.blunt = true
}

// see takes what was read, and gives what was known before and is now.
func (o *others) see(all []registry.Instance, beats map[string]int64) (before, now map[string]other, changed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.meet(beats)
	before, now = o.all, make(map[string]other, len(all))
	var behind []string
	for _, r := range all {
		one := o.of(r)
		now[r.Name] = one
		old, known := before[r.Name]
		changed = changed || !known || old.Instance != r || old.owner != one.owner
		if one.away() {
			behind = append(behind, r.Name)
		}
	}
	o.all, o.behind = now, behind
	return before, now, changed || len(before) != len(now)
}

// meet hears who lives.
func (o *others) meet(beats map[string]int64) {
	first, now := o.peers == nil, time.Now()
	peers := make(map[string]peer, len(beats))
	for id, beat := range beats {
		p, known := o.peers[id]
		switch {
		case !known && first:
			p = peer{beat, now, unsure}
		case !known || p.beat != beat || id == o.self:
			p = peer{beat, now, lives}
		case o.blunt:
			p.at = now
		case now.Sub(p.at) >= silence:
			p.state = gone
		}
		peers[id] = p
	}
	o.peers, o.blunt = peers, false
}

// of reads an instance; the caller holds the lock.
func (o *others) of(r registry.Instance) other {
	one := o.all[r.Name]
	if one.Shown != r.Shown {
		one = other{}
		if json.Unmarshal([]byte(r.Shown), &one.says) != nil {
			one.says = shows{} // in the words of another version
		}
	}
	one.Instance, one.owner = r, nobody
	if one.says.Process != "" && one.says.Epoch == r.Epoch {
		one.owner = max(o.peers[one.says.Process].state, gone)
	}
	return one
}

// away is Instance.away as the one says it that acts for the instance; while nobody does, it
// is away if it is to be online.
func (o other) away() bool {
	if o.owner > gone {
		return o.says.Behind
	}
	return o.Wanted == registry.Connected && o.JID != ""
}

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
