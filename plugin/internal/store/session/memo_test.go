package session

import (
	"errors"
	"testing"
)

func TestMemoNeverHoldsWhatMayBeUndoneOrOvertaken(t *testing.T) {
	all := func(string) bool { return true }
	for name, act := range map[string]func(m *memo[string, int]) (want int, known bool){
		"a read is remembered": func(m *memo[string, int]) (int, bool) {
			_, _, ticket := m.get("k")
			m.fill("k", 1, ticket)
			return 1, true
		},
		"a read that a write overtook is not": func(m *memo[string, int]) (int, bool) {
			_, _, ticket := m.get("k")
			_ = m.set("k", 2, func() error { return nil })
			m.fill("k", 1, ticket)
			return 2, true
		},
		"a read during a write is not": func(m *memo[string, int]) (int, bool) {
			end := m.write(all)
			_, _, ticket := m.get("k")
			m.fill("k", 1, ticket)
			end()
			m.fill("k", 1, ticket)
			return 0, false
		},
		"a write that failed is not": func(m *memo[string, int]) (int, bool) {
			_ = m.set("k", 1, func() error { return nil })
			_ = m.set("k", 2, func() error { return errors.New("full") })
			return 0, false
		},
		"overlapping writes are not, whoever ends first": func(m *memo[string, int]) (int, bool) {
			_ = m.set("k", 1, func() error {
				return m.set("k", 2, func() error { return nil })
			})
			return 0, false
		},
		"a write inside an undecided one is not": func(m *memo[string, int]) (int, bool) {
			end := m.write(all)
			_ = m.set("k", 2, func() error { return nil })
			end()
			return 0, false
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemo[string, int](4)
			want, known := act(m)
			if got, ok, _ := m.get("k"); ok != known || got != want {
				t.Errorf("holds %v %v, want %v %v", got, ok, want, known)
			}
		})
	}
}

func TestMemoIsBounded(t *testing.T) {
	m := newMemo[int, int](8)
	for i := range 100 {
		_, _, ticket := m.get(i)
		m.fill(i, i, ticket)
	}
	if len(m.values) != 8 {
		t.Errorf("holds %d values, want 8", len(m.values))
	}
	if _, ok, _ := m.get(99); !ok {
		t.Error("the newest value was dropped")
	}
}
