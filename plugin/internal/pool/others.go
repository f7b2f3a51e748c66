package pool

import (
	"crypto/rand"
	"encoding/json"
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
	gone         // it has said nothing for patience
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
		case now.Sub(p.at) >= patience:
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
