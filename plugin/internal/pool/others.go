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

// others is what this process last saw of all instances in the shared database.
type others struct {
	self string // this process's id

	mu     sync.RWMutex
	all    map[string]other
	behind []string // as published by their processes, see Away
	peers  map[string]peer
	blunt  bool // the last look failed, so no heartbeat could be seen
}

// other is an instance, whichever process has claimed it.
type other struct {
	registry.Instance
	says  shows // published by the process that has claimed it
	owner owner
}

// owner is what is known of the process that publishes an instance under its current lease.
type owner int

const (
	nobody owner = iota
	gone         // no heartbeat for silence
	unsure       // its heartbeat was there before we started and has not changed since
	lives
)

// peer is a process on the database. Clocks of processes may differ, so only the time at which we
// saw its heartbeat change counts.
type peer struct {
	beat  int64
	at    time.Time
	state owner
}

func newOthers() *others { return &others{self: rand.Text()} }

// blind records that a look has failed.
func (o *others) blind() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.blunt = true
}

// see takes the data just read, and returns what was known before and what is known now.
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

// meet updates which processes are alive.
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

// of returns what is known of an instance; the caller holds the lock.
func (o *others) of(r registry.Instance) other {
	one := o.all[r.Name]
	if one.Shown != r.Shown {
		one = other{}
		if json.Unmarshal([]byte(r.Shown), &one.says) != nil {
			one.says = shows{} // written by another version
		}
	}
	one.Instance, one.owner = r, nobody
	if one.says.Process != "" && one.says.Epoch == r.Epoch {
		one.owner = max(o.peers[one.says.Process].state, gone)
	}
	return one
}

// away is Instance.away as published by the process that runs the instance. If no process does, the
// instance is away if it should be online.
func (o other) away() bool {
	if o.owner > gone {
		return o.says.Behind
	}
	return o.Wanted == registry.Connected && o.JID != ""
}

// shows is what the process that has claimed an instance publishes about it in the registry for the
// others.
type shows struct {
	Status
	Account Account
	Behind  bool   // see Away
	Process string // the process that runs it; "": it was released
	Epoch   uint64 // epoch of its lease
}

// shows returns what is published about an instance that this process has claimed.
func (i *Instance) shows(process string) registry.Shown {
	s := shows{Status: i.Status(), Account: i.Account(), Behind: i.away(), Process: process, Epoch: i.epoch.Load()}
	b, _ := json.Marshal(s) // texts and times always encode
	return registry.Shown{Name: i.name, Epoch: s.Epoch, What: string(b)}
}

// show publishes what has changed in this process's instances since the last call.
func (p *Pool) show(ctx context.Context, shown map[string]registry.Shown) {
	maps.DeleteFunc(shown, func(name string, _ registry.Shown) bool { return p.mine(name) == nil })
	var news []registry.Shown
	for _, i := range p.List() {
		if now := i.shows(p.others.self); !i.isLost() && shown[i.name] != now {
			news = append(news, now)
		}
	}
	if len(news) == 0 || p.opts.Registry.Show(ctx, news) != nil {
		return // the node's health reports the database failure; the next attempt comes soon
	}
	for _, s := range news {
		shown[s.Name] = s
	}
}

// leave publishes, when the pool closes, that no process runs its instances any more.
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
