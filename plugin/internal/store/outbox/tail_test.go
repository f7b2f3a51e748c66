package outbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log tail
		add := func(kind string, seqs ...int64) {
			for _, seq := range seqs {
				log.add(entry{Event{Type: kind, Instance: "shop"}, seq})
			}
		}
		expect := func(what string, seq int64, f Filter, want ...int64) {
			t.Helper()
			var got []int64
			found, known := log.behind(seq, f)
			for _, e := range found {
				got = append(got, e.seq)
			}
			if !slices.Equal(got, want) || known == strings.HasPrefix(what, "unknown") {
				t.Errorf("%s: %v, known %v, want %v", what, got, known, want)
			}
		}
		all := Filter{}
		expect("unknown: an empty one", 0, all)
		add("a", 5, 6)
		add("b", 7)
		expect("one who has all before", 4, all, 5, 6, 7)
		expect("one who has some", 6, all, 7)
		expect("one who has all", 7, all)
		expect("unknown: one who may lack some before", 3, all)
		expect("one type", 4, Filter{Types: []string{"b"}}, 7)
		expect("another instance", 4, Filter{Instances: []string{"other"}})
		add("a", 9) // another process has stored 8
		expect("unknown: one who lacks another process's", 7, all)
		expect("one who has it", 8, all, 9)
		log.add(entry{Event{Data: make([]byte, large+1)}, 10})
		expect("unknown: one who lacks a large one", 9, all)
		for seq := range int64(3 * tailed) {
			add("a", 11+seq)
			if n := len(log.entries); n > tailed {
				t.Fatal(fmt.Sprint(n, " events are kept"))
			}
		}
		expect("one who lacks the last", 10+3*tailed-1, all, 10+3*tailed)
		time.Sleep(moment + 1)
		expect("unknown: one who comes late", 10+3*tailed-1, all)
		if log.entries != nil {
			t.Error("they are kept for longer than a moment")
		}
	})
}
