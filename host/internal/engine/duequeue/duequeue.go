// Package duequeue is a queue in memory that hands out entries when they are due: the earliest
// first, each to one holder at a time, and a limited number of each lane at once.
//
// An entry that is handed out is held under a token until its lease ends, and is due again then. A
// lane that has handed out as many entries as it may holds up only its own entries: Take costs the
// logarithm of the number of lanes that have something to hand out and of the entries of one lane,
// however many entries wait in the others.
//
// A Queue is not safe for several goroutines.
package duequeue

import (
	"crypto/rand"
	"time"
)

// Queue holds the entries that wait and those that are handed out. V is the type of their values.
type Queue[V any] struct {
	width  int
	byID   map[string]*entry[V]
	lanes  map[string]*lane[V]
	ready  heap[*lane[V]]  // lanes with something to hand out, by their first entry
	leases heap[*entry[V]] // entries that are handed out, by the end of their lease
}

// Place orders entries by their time, in microseconds since 1970, and then by their id.
type Place struct {
	At int64
	ID string
}

// Before says whether p is earlier than q.
func (p Place) Before(q Place) bool { return p.At < q.At || p.At == q.At && p.ID < q.ID }

// Micros is a time in microseconds since 1970, rounded up: nothing is handed out before it is
// due.
func Micros(t time.Time) int64 { return t.Add(time.Microsecond - time.Nanosecond).UnixMicro() }

type entry[V any] struct {
	Place
	lane  *lane[V]
	token string // empty: it is not handed out
	value V
	index int // in its lane or in leases
}

type lane[V any] struct {
	name    string
	waiting heap[*entry[V]]
	out     int // handed out
	index   int // in ready; -1: not there
}

// New returns a Queue that hands out width entries of a lane at a time. The lane with the
// empty name has no limit.
func New[V any](width int) *Queue[V] {
	earlier := func(a, b *entry[V]) bool { return a.Before(b.Place) }
	first := func(a, b *lane[V]) bool { return earlier(a.waiting.items[0], b.waiting.items[0]) }
	return &Queue[V]{width: width, byID: map[string]*entry[V]{}, lanes: map[string]*lane[V]{},
		ready:  heap[*lane[V]]{less: first, moved: func(l *lane[V], i int) { l.index = i }},
		leases: heap[*entry[V]]{less: earlier, moved: func(e *entry[V], i int) { e.index = i }}}
}

// Len is how many entries there are, those that are handed out included.
func (q *Queue[V]) Len() int { return len(q.byID) }

// Has says whether there is an entry.
func (q *Queue[V]) Has(id string) bool { return q.byID[id] != nil }

// Add adds an entry that is due at a time. It replaces an entry with the same id and ends the lease
// of that one.
func (q *Queue[V]) Add(id, laneName string, at int64, v V) {
	q.Remove(id)
	l := q.lanes[laneName]
	if l == nil {
		l = &lane[V]{name: laneName, index: -1, waiting: heap[*entry[V]]{less: q.leases.less, moved: q.leases.moved}}
		q.lanes[laneName] = l
	}
	e := &entry[V]{Place: Place{at, id}, lane: l, value: v}
	q.byID[id] = e
	l.waiting.push(e)
	q.place(l)
}

// Remove removes an entry, even one that is handed out. opened says that others of its lane had to
// wait for it.
func (q *Queue[V]) Remove(id string) (opened bool) {
	e := q.byID[id]
	if e == nil {
		return false
	}
	delete(q.byID, id)
	if e.token != "" {
		opened = e.lane.index < 0 && len(e.lane.waiting.items) > 0
		q.leases.remove(e.index)
		e.lane.out--
	} else {
		e.lane.waiting.remove(e.index)
	}
	q.place(e.lane)
	return opened
}

// Take hands out the first entry that is due, under a new token, with a lease until a time.
func (q *Queue[V]) Take(now, until int64) (v V, token string, ok bool) {
	q.expire(now)
	if len(q.ready.items) == 0 || q.ready.items[0].waiting.items[0].At > now {
		return v, "", false
	}
	l := q.ready.items[0]
	e := l.waiting.items[0]
	l.waiting.remove(0)
	l.out++
	e.At, e.token = until, rand.Text()
	q.leases.push(e)
	q.place(l)
	return e.value, e.token, true
}

// Next is the earliest time at which Take may have something. ok is false when the queue is empty.
func (q *Queue[V]) Next() (at Place, ok bool) {
	if len(q.ready.items) > 0 {
		at, ok = q.ready.items[0].waiting.items[0].Place, true
	}
	if len(q.leases.items) > 0 && (!ok || q.leases.items[0].Before(at)) {
		at, ok = q.leases.items[0].Place, true
	}
	return at, ok
}

// Held says whether an entry is handed out under the token.
func (q *Queue[V]) Held(id, token string) bool {
	e := q.byID[id]
	return e != nil && token != "" && e.token == token
}

// Hold moves the end of the lease of an entry, which must be Held.
func (q *Queue[V]) Hold(id string, until int64) {
	e := q.byID[id]
	e.At = until
	q.leases.fix(e.index)
}

// expire ends the leases whose time has passed; their entries are due again.
func (q *Queue[V]) expire(now int64) {
	for len(q.leases.items) > 0 && q.leases.items[0].At <= now {
		e := q.leases.items[0]
		q.leases.remove(0)
		e.token = ""
		e.lane.out--
		e.lane.waiting.push(e)
		q.place(e.lane)
	}
}

// place updates the position of a lane after a change of its entries.
func (q *Queue[V]) place(l *lane[V]) {
	open := len(l.waiting.items) > 0 && (l.name == "" || l.out < q.width)
	switch {
	case open && l.index < 0:
		q.ready.push(l)
	case open:
		q.ready.fix(l.index)
	case l.index >= 0:
		q.ready.remove(l.index)
		l.index = -1
	}
	if len(l.waiting.items) == 0 && l.out == 0 {
		delete(q.lanes, l.name)
	}
}
