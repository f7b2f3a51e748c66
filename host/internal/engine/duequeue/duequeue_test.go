package duequeue_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine/duequeue"
)

// model is the simplest implementation with the same behaviour.
type model struct {
	width   int
	entries map[string]*modelEntry
}

type modelEntry struct {
	duequeue.Place
	lane, token string
}

func (m *model) out(lane string) (n int) {
	for _, e := range m.entries {
		if e.token != "" && e.lane == lane {
			n++
		}
	}
	return n
}

func (m *model) first(now int64) *modelEntry {
	for _, e := range m.entries {
		if e.token != "" && e.At <= now {
			e.token = ""
		}
	}
	var due []*modelEntry
	for _, e := range m.entries {
		if e.token == "" && e.At <= now && (e.lane == "" || m.out(e.lane) < m.width) {
			due = append(due, e)
		}
	}
	if len(due) == 0 {
		return nil
	}
	return slices.MinFunc(due, func(a, b *modelEntry) int {
		if a.Before(b.Place) {
			return -1
		}
		return 1
	})
}

func TestAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // a test's seed
		const width, lease = 2, 10
		q, m := duequeue.New[string](width), &model{width, map[string]*modelEntry{}}
		now := int64(100)
		for step := range 400 {
			id := fmt.Sprint("t", rnd.IntN(12))
			e := m.entries[id]
			held := e != nil && e.token != "" && e.At > now
			switch rnd.IntN(6) {
			case 0, 1:
				lane := []string{"", "a", "b"}[rnd.IntN(3)]
				at := now + int64(rnd.IntN(9)) - 4
				q.Add(id, lane, at, id)
				m.entries[id] = &modelEntry{duequeue.Place{At: at, ID: id}, lane, ""}
			case 2:
				q.Remove(id)
				delete(m.entries, id)
			case 3:
				want := m.first(now)
				got, token, ok := q.Take(now, now+lease)
				if ok != (want != nil) || ok && got != want.ID {
					t.Fatalf("seed %d, step %d: took %q, %v; want %+v", seed, step, got, ok, want)
				}
				if ok {
					want.token, want.At = token, now+lease
				}
			case 4:
				if held && q.Held(id, e.token) {
					e.At = now + int64(rnd.IntN(lease))
					q.Hold(id, e.At)
				} else if held {
					t.Fatalf("seed %d, step %d: %s is not held any more", seed, step, id)
				}
				if q.Held(id, "another") || q.Held(id, "") {
					t.Fatal("held under another token")
				}
			case 5:
				now += int64(rnd.IntN(6))
			}
			if q.Len() != len(m.entries) || q.Has(id) != (m.entries[id] != nil) {
				t.Fatalf("seed %d, step %d: %d entries, want %d", seed, step, q.Len(), len(m.entries))
			}
			if next, ok := q.Next(); m.first(now) != nil && (!ok || next.At > now) {
				t.Fatalf("seed %d, step %d: something is due, and Next says %+v, %v", seed, step, next, ok)
			}
		}
	}
}

// With ten thousand entries in one lane, taking an entry costs as much as with one: the others are
// not looked at.
func BenchmarkBesideAFullLane(b *testing.B) {
	for _, crowd := range []int{0, 10_000} {
		b.Run(fmt.Sprint(crowd), func(b *testing.B) {
			q := duequeue.New[int](8)
			for i := range crowd {
				q.Add(fmt.Sprint("c", i), "crowd", 1, i)
			}
			for range 8 {
				q.Take(1, 1<<60)
			}
			id := strings.Repeat("x", 40)
			for b.Loop() {
				q.Add(id, "quiet", 2, 0)
				if _, _, ok := q.Take(2, 3); !ok && crowd > 0 {
					b.Fatal("nothing is due")
				}
				q.Remove(id)
			}
		})
	}
}
