package faults

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
)

// ErrTooMany says that the set holds as many rules as it may.
var ErrTooMany = errors.New("too many fault rules; delete some first")

// ErrTaken says that a rule of this id is already in the set.
var ErrTaken = errors.New("a fault rule of this id exists; delete it first")

// Event is what a rule is matched against.
type Event struct {
	Stage     Stage
	Account   string // phone number or JID
	Recipient string
	MessageID string
	Type      string
	Buttons   bool // a message with a <biz> node
}

// Status is a rule and what became of it.
type Status struct {
	Rule
	Seen int64 `json:"seen"` // events that matched, whether or not turn and chance let the rule fire
	Hits int64 `json:"hits"` // how often it fired
}

// Set is an ordered, bounded collection of rules. The zero value is not usable; use NewSet.
type Set struct {
	limit int
	count atomic.Int32

	mu    sync.Mutex
	next  int
	rules []*entry
}

type entry struct {
	Status
	chance *rand.Rand
}

// NewSet makes an empty set that holds at most limit rules.
func NewSet(limit int) *Set { return &Set{limit: limit} }

// Add appends a rule and returns its id. Errors: *jsonstrict.Error for a rule that makes no sense, ErrTooMany, ErrTaken.
func (s *Set) Add(r Rule) (string, error) {
	if err := r.Validate(); err != nil {
		return "", err
	}
	r.Match.Account, r.Match.Recipient = number(r.Match.Account), number(r.Match.Recipient)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rules) >= s.limit {
		return "", ErrTooMany
	}
	for r.ID == "" {
		s.next++
		if id := "f" + strconv.Itoa(s.next); s.find(id) < 0 {
			r.ID = id
		}
	}
	if s.find(r.ID) >= 0 {
		return "", ErrTaken
	}
	e := &entry{Status: Status{Rule: r}}
	if r.Match.Probability > 0 {
		e.chance = rand.New(rand.NewPCG(r.Match.Seed, 0))
	}
	s.rules = append(s.rules, e)
	s.count.Store(int32(len(s.rules)))
	return r.ID, nil
}

// Delete removes a rule and reports whether it was there.
func (s *Set) Delete(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(id)
	if i < 0 {
		return false
	}
	s.rules = slices.Delete(s.rules, i, i+1)
	s.count.Store(int32(len(s.rules)))
	return true
}

// Clear removes every rule.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
	s.count.Store(0)
}

// List returns the rules with their counters in the order they are asked.
func (s *Set) List() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Status, len(s.rules))
	for i, e := range s.rules {
		out[i] = e.Status
	}
	return out
}

// Match asks the rules in the order they were added. The first that fires decides; those behind it do not see the
// event. The returned action is the zero value when none fires.
func (s *Set) Match(ev Event) (Action, bool) {
	if s.count.Load() == 0 {
		return Action{}, false
	}
	ev.Account, ev.Recipient = number(ev.Account), number(ev.Recipient)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.rules {
		if e.fires(ev) {
			return e.Action, true
		}
	}
	return Action{}, false
}

func (e *entry) fires(ev Event) bool {
	m := e.Match
	same := func(want, got string) bool { return want == "" || want == got }
	if m.Stage != ev.Stage || !same(m.Account, ev.Account) || !same(m.Recipient, ev.Recipient) ||
		!same(m.MessageID, ev.MessageID) || !same(m.Type, ev.Type) && (m.Type != TypeButtons || !ev.Buttons) {
		return false
	}
	e.Seen++
	if (m.Nth > 0 && e.Seen != int64(m.Nth)) || (e.Times > 0 && e.Hits >= int64(e.Times)) ||
		(e.chance != nil && e.chance.Float64() >= m.Probability) {
		return false
	}
	e.Hits++
	return true
}

func (s *Set) find(id string) int {
	return slices.IndexFunc(s.rules, func(e *entry) bool { return e.ID == id })
}
