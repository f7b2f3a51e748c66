package cluster

import (
	"fmt"
	"testing"
	"time"
)

func lives(id string, nodes ...string) Host { return Host{ID: id, Lives: true, Nodes: nodes} }

// TestShare: with every host taking its share, round by round, each subject has one owner that can act,
// the numbers differ by one at most, and then nothing moves any more.
func TestShare(t *testing.T) {
	t.Parallel()
	for name, world := range map[string]struct {
		hosts []Host
		owned map[string]int // by host, at first
	}{
		"a first host":           {[]Host{lives("a", "n")}, map[string]int{"": 7}},
		"a host is added":        {[]Host{lives("a", "n"), lives("b", "n")}, map[string]int{"a": 9}},
		"one of three is gone":   {[]Host{lives("a", "n"), lives("b", "n"), {ID: "c", Nodes: []string{"n"}}}, map[string]int{"a": 3, "b": 3, "c": 4}},
		"one leaves":             {[]Host{lives("a", "n"), {ID: "b", Lives: true, Leaving: true, Nodes: []string{"n"}}}, map[string]int{"a": 2, "b": 2}},
		"one has no such node":   {[]Host{lives("a", "n"), lives("b", "other")}, map[string]int{"a": 1, "b": 4}},
		"more hosts than leases": {[]Host{lives("a", "n"), lives("b", "n"), lives("c", "n")}, map[string]int{"a": 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leases := []lease{{node: "n", host: "gone", epoch: 1, age: time.Hour}}
			for host, n := range world.owned {
				for i := range n {
					leases = append(leases, lease{node: "n", subject: fmt.Sprintf("%s%d", host, i), host: host, epoch: 1, age: time.Hour})
				}
			}
			total := len(leases) - 1
			for quiet := 0; quiet < 2; {
				quiet++
				for _, h := range world.hosts {
					for _, taken := range share(h.ID, world.hosts, leases) {
						quiet = 0
						for i := range leases {
							if leases[i].key() == taken.key() {
								leases[i].host, leases[i].epoch = h.ID, leases[i].epoch+1
							}
						}
					}
				}
			}
			count := map[string]int{}
			for _, l := range leases {
				if l.subject != "" {
					count[l.host]++
				}
			}
			fit := 0
			for _, h := range world.hosts {
				if h.fit("n") {
					fit++
				}
			}
			sum := 0
			for _, h := range world.hosts {
				if n := count[h.ID]; h.fit("n") && (n < total/fit || n > (total+fit-1)/fit) {
					t.Errorf("%s has %d of %d over %d hosts", h.ID, n, total, fit)
				} else if h.fit("n") {
					sum += n
				}
			}
			if reader := leases[0].host; sum != total || reader == "gone" {
				t.Errorf("owners: %v; the events are read by %s", count, reader)
			}
		})
	}
}

// TestShareIsGentle: what has just moved stays, and few are moved at once to spread the load.
func TestShareIsGentle(t *testing.T) {
	t.Parallel()
	hosts := []Host{lives("a", "n"), lives("b", "n")}
	var leases []lease
	for i := range 100 {
		leases = append(leases, lease{node: "n", subject: fmt.Sprint(i), host: "a", epoch: 1, age: time.Duration(i) * time.Second})
	}
	take := share("b", hosts, leases)
	if len(take) != moves {
		t.Errorf("%d move at once", len(take))
	}
	for _, l := range take {
		if l.age < stays {
			t.Errorf("one moves after %s", l.age)
		}
	}
}

// TestFittestReads: the events of a node are read by a host which the fewest versions do not fit, whoever was first, and
// stay where they are while nobody is better.
func TestFittestReads(t *testing.T) {
	t.Parallel()
	unfit := func(id string, n int) Host { return Host{ID: id, Lives: true, Nodes: []string{"n"}, unfit: n} }
	for name, world := range map[string]struct {
		hosts        []Host
		reads, wants string // who does at first, and in the end
	}{
		"the old one was first":    {[]Host{unfit("old", 1), unfit("new", 0)}, "old", "new"},
		"the old one comes":        {[]Host{unfit("old", 1), unfit("new", 0)}, "new", "new"},
		"nobody reads":             {[]Host{unfit("old", 2), unfit("older", 3), unfit("new", 1)}, "gone", "new"},
		"each lacks one":           {[]Host{unfit("a", 1), unfit("b", 1)}, "b", "b"},
		"the new one is leaving":   {[]Host{unfit("old", 1), {ID: "new", Lives: true, Leaving: true, Nodes: []string{"n"}}}, "new", "old"},
		"the new one has no node":  {[]Host{unfit("old", 1), {ID: "new", Lives: true}}, "old", "old"},
		"the new one is not heard": {[]Host{unfit("old", 1), {ID: "new", Nodes: []string{"n"}}}, "old", "old"},
	} {
		l := lease{node: "n", host: world.reads, epoch: 1, age: time.Hour}
		for range 2 {
			for _, h := range world.hosts {
				if len(share(h.ID, world.hosts, []lease{l})) > 0 {
					l.host = h.ID
				}
			}
		}
		if l.host != world.wants {
			t.Errorf("%s: %q reads", name, l.host)
		}
	}
}
