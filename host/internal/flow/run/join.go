package run

import (
	"maps"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// Joining is the record that a run keeps of a node with a join.
type Joining struct {
	// Arrived counts the branches that a node with join all has gathered. Event and Error are those
	// of the last branch, and Rounds merges the rounds of all.
	Arrived int            `json:"arrived,omitempty"`
	Event   any            `json:"event,omitempty"`
	Error   any            `json:"error,omitempty"`
	Rounds  map[string]int `json:"rounds,omitempty"`
	// Round is the visit in which a node with join any was last entered.
	Round int `json:"round,omitempty"`
}

// setJoin replaces the record of a node. Maps inside a State are never changed in place.
func (t *transition) setJoin(id string, j Joining) {
	joins := maps.Clone(t.s.Joins)
	if joins == nil {
		joins = map[string]Joining{}
	}
	joins[id] = j
	t.s.Joins = joins
}

// gather holds a branch that reached a node with join all, until no further branch can arrive.
func (t *transition) gather(n *flow.CompiledNode, e entry) {
	j := t.s.Joins[n.ID]
	rounds := maps.Clone(j.Rounds)
	for id, round := range e.rounds {
		if rounds == nil {
			rounds = map[string]int{}
		}
		rounds[id] = max(rounds[id], round)
	}
	t.setJoin(n.ID, Joining{Arrived: j.Arrived + 1, Event: e.event, Error: e.err, Rounds: rounds})
	t.emit(Trace{Kind: TraceBranchJoined, Node: n.ID, Operation: n.Type})
}

// pass reports whether a branch enters a node with join any. Each entry into the node begins a new
// round, and the branches that lead on from there belong to it. The first branch of the current
// round to arrive enters. A branch of an earlier round came too late; a branch that the node itself
// led to, around a cycle, is the first of the new round.
func (t *transition) pass(n *flow.CompiledNode, e entry) bool {
	if e.rounds[n.ID] >= t.s.Joins[n.ID].Round {
		return true
	}
	t.emit(Trace{Kind: TraceBranchIgnored, Node: n.ID, Operation: n.Type})
	return false
}

// entered begins the next round of a node with join any.
func (t *transition) entered(n *flow.CompiledNode, v *Visit) {
	t.setJoin(n.ID, Joining{Round: v.N})
	rounds := maps.Clone(v.Rounds)
	if rounds == nil {
		rounds = map[string]int{}
	}
	rounds[n.ID] = v.N
	v.Rounds = rounds
}

// rounds returns the rounds of a branch that begins now, such as by a late answer.
func (t *transition) rounds() map[string]int {
	var out map[string]int
	for id, j := range t.s.Joins {
		if j.Round == 0 {
			continue
		}
		if out == nil {
			out = map[string]int{}
		}
		out[id] = j.Round
	}
	return out
}

// joined returns the next node with join all, in the order of the file, that has gathered branches
// and that no further branch can reach. Two such nodes never wait for each other: the flow was
// checked for that.
func (t *transition) joined() (entry, bool) {
	if len(t.s.Joins) == 0 {
		return entry{}, false
	}
	for _, node := range t.p.Flow().Nodes {
		j := t.s.Joins[node.ID]
		if j.Arrived == 0 || t.comes(node.ID) {
			continue
		}
		t.setJoin(node.ID, Joining{})
		return entry{node: node.ID, event: j.Event, err: j.Error, rounds: j.Rounds, joined: true}, true
	}
	return entry{}, false
}

// comes reports whether a branch can still reach a node with join all.
func (t *transition) comes(join string) bool {
	for _, v := range t.s.Visits {
		open := v.Call != CallDone
		if (open || v.Wait == WaitArmed) && t.p.LeadsTo(t.p.Node(v.Node), join, !open) {
			return true
		}
	}
	for id, j := range t.s.Joins {
		if j.Arrived > 0 && id != join && t.p.Before(id, join) {
			return true
		}
	}
	return false
}

// scatter drops the branches that were gathered, because the run has ended.
func (t *transition) scatter() {
	for id, j := range t.s.Joins {
		if j.Arrived > 0 {
			t.setJoin(id, Joining{})
		}
	}
}
