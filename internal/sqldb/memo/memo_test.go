package memo

import (
	"errors"
	"testing"
)

func TestNeverHoldsWhatMayBeUndoneOrOvertaken(t *testing.T) {
	all := func(string) bool { return true }
	for name, act := range map[string]func(m *Memo[string, int]) (want int, known bool){
		"a read is remembered": func(m *Memo[string, int]) (int, bool) {
			_, _, ticket := m.Get("k")
			m.Fill("k", 1, ticket)
			return 1, true
		},
		"a read that a write overtook is not": func(m *Memo[string, int]) (int, bool) {
			_, _, ticket := m.Get("k")
			_ = m.Set("k", 2, func() error { return nil })
			m.Fill("k", 1, ticket)
			return 2, true
		},
		"a read during a write is not": func(m *Memo[string, int]) (int, bool) {
			end := m.Write(all)
			_, _, ticket := m.Get("k")
			m.Fill("k", 1, ticket)
			end()
			m.Fill("k", 1, ticket)
			return 0, false
		},
		"a write that failed is not": func(m *Memo[string, int]) (int, bool) {
			_ = m.Set("k", 1, func() error { return nil })
			_ = m.Set("k", 2, func() error { return errors.New("full") })
			return 0, false
		},
		"overlapping writes are not, whoever ends first": func(m *Memo[string, int]) (int, bool) {
			_ = m.Set("k", 1, func() error {
				return m.Set("k", 2, func() error { return nil })
			})
			return 0, false
		},
		"a write inside an undecided one is not": func(m *Memo[string, int]) (int, bool) {
			end := m.Write(all)
			_ = m.Set("k", 2, func() error { return nil })
			end()
			return 0, false
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := New[string, int](4)
			want, known := act(m)
			if got, ok, _ := m.Get("k"); ok != known || got != want {
				t.Errorf("holds %v %v, want %v %v", got, ok, want, known)
			}
		})
	}
}

func TestBounded(t *testing.T) {
	m := New[int, int](8)
	for i := range 100 {
		_, _, ticket := m.Get(i)
		m.Fill(i, i, ticket)
	}
	if len(m.values) != 8 {
		t.Errorf("holds %d values, want 8", len(m.values))
	}
	if _, ok, _ := m.Get(99); !ok {
		t.Error("the newest value was dropped")
	}
}
