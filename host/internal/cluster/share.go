package cluster

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	// stays is how long an instance stays at a host before it may be moved to spread the load.
	stays = time.Minute
	// moves is how many instances are moved at once for that, since each has to log in again.
	moves = 5
)

// share decides which subjects a host takes: up to its share of those without an owner that can act, and a
// few from hosts that have too many. If every host does the same, each subject has an owner after one
// round, and in the end the hosts' numbers of subjects differ by one at most. The events of a node go to
// one of the hosts with the fewest flow versions that they cannot run.
func share(me string, hosts []Host, leases []lease) (take []lease) {
	byNode := map[string][]lease{}
	for _, l := range leases {
		byNode[l.node] = append(byNode[l.node], l)
	}
	for node, all := range byNode {
		take = append(take, shareOf(me, node, hosts, all)...)
	}
	return take
}

func shareOf(me, node string, hosts []Host, leases []lease) (take []lease) {
	count, mine := map[string]int{}, false // subjects of each host that can act
	unfit, fewest := map[string]int{}, math.MaxInt
	for _, h := range hosts {
		if h.fit(node) {
			count[h.ID], unfit[h.ID], fewest = 0, h.unfit, min(fewest, h.unfit)
			mine = mine || h.ID == me
		}
	}
	if !mine {
		return nil
	}
	var orphans, kept []lease
	for _, l := range leases {
		_, fit := count[l.host]
		switch {
		case l.subject == "" && unfit[me] == fewest && (!fit || unfit[l.host] > fewest):
			take = append(take, l) // of the hosts with the fewest unfit versions, the first to ask gets it
		case l.subject == "":
		case !fit:
			orphans = append(orphans, l)
		default:
			count[l.host]++
			kept = append(kept, l)
		}
	}
	total := len(orphans) + len(kept)
	most := (total + len(count) - 1) / len(count)
	room := max(most-count[me], 0)
	take = append(take, orphans[:min(room, len(orphans))]...)
	if len(orphans) == 0 {
		take = append(take, fromOthers(me, count, kept)...)
	}
	return take
}

// fromOthers returns leases to take from hosts that have at least two more than this one, the oldest first.
func fromOthers(me string, count map[string]int, kept []lease) (take []lease) {
	slices.SortStableFunc(kept, func(a, b lease) int { return cmp.Compare(b.age, a.age) })
	for _, l := range kept {
		if len(take) == moves || l.age < stays {
			break
		}
		if l.host != me && count[l.host] > count[me]+1 {
			count[l.host]--
			count[me]++
			take = append(take, l)
		}
	}
	return take
}
