package app

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/crowd"
	"github.com/tapnode/tapnode/sdk"
)

const (
	// parallel is how many events of a stream are handled at the same time. They share
	// commits.
	parallel = 64
	// alone is how many of them may be of one subject, such as an instance.
	alone = 8
	// inCompany is how many when there are events of other subjects, too: what one of another needs has these before it, at
	// each step of its way.
	inCompany = 1
	// window is how many a node may send before one of them is acknowledged.
	window = 2 * parallel
)

// errWindow is a node that breaks the contract, and would fill our memory.
var errWindow = fmt.Errorf("the node sent more than %d events without an acknowledgement", window)

// flight is the events of one stream that are being handled: those that belong together one
// after the other, the others side by side, subjects in turn. It acknowledges an event when
// all before it are done, and knows where to go on after a crash: behind the last such event.
type flight struct {
	handle func(ev sdk.Event, cursor []byte) error
	landed func(ev sdk.Event) error // in the order of the stream, one at a time
	cut    context.CancelFunc       // ends the stream when one fails

	work sync.WaitGroup

	mu       sync.Mutex
	lanes    map[string][]*event // what waits for the one of its lane that is handled
	subjects map[string]*subject // that have events
	turns    []*subject          // those that could be handled, whose turn it is first
	company  crowd.Crowd
	share    int // of the events that are handled, for one subject
	running  int
	order    []*event // not done, or behind one that is not
	open     int      // events among them
	cursor   []byte   // behind everything that is done
	err      error
}

// event on its way, or what happens when everything before it is done.
type event struct {
	sdk.Event
	lane string
	done bool
	then func()
}

// subject is what events are about.
type subject struct {
	ready   []*event // nothing of their lane is before them
	running int
}

func newFlight(cursor []byte, cut context.CancelFunc, handle func(sdk.Event, []byte) error, landed func(sdk.Event) error) *flight {
	return &flight{handle: handle, landed: landed, cut: cut, lanes: map[string][]*event{}, subjects: map[string]*subject{}, cursor: cursor}
}

// laneOf names what an event belongs to: the run that it answers or else its subject.
func laneOf(ev sdk.Event) string {
	if run := engine.RunIn(ev.Correlation); run != "" {
		return laneOfRun(run)
	}
	return "subject " + ev.Subject
}

func laneOfRun(run string) string { return "run " + run }

// answers says whether there is an event that answers a run.
func (f *flight) answers(run string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, busy := f.lanes[laneOfRun(run)]
	return busy
}

// take begins to handle an event as soon as it is its turn. One that it refuses leaves nothing behind.
func (f *flight) take(ev sdk.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == window {
		return errWindow
	}
	f.open++
	e := &event{Event: ev, lane: laneOf(ev)}
	f.order = append(f.order, e)
	if waiting, busy := f.lanes[e.lane]; busy {
		f.lanes[e.lane] = append(waiting, e)
		return nil
	}
	f.lanes[e.lane] = nil
	f.queue(e)
	f.dispatch()
	return nil
}

// queue makes an event wait for its subject's turn.
func (f *flight) queue(e *event) {
	s := f.subjects[e.Subject]
	if s == nil {
		s = &subject{}
		f.subjects[e.Subject] = s
	}
	s.ready = append(s.ready, e)
	f.share = inCompany
	if f.company.Alone(e.Subject) {
		f.share = alone
	}
	if !slices.Contains(f.turns, s) {
		f.turns = append(f.turns, s)
	}
}

// dispatch begins with what is ready, as far as there are places.
func (f *flight) dispatch() {
	for passed := 0; f.running < parallel && passed < len(f.turns); {
		s := f.turns[0]
		f.turns = f.turns[1:]
		if passed++; s.running < f.share {
			passed = 0
			e := s.ready[0]
			s.ready = s.ready[1:]
			s.running++
			f.running++
			f.work.Go(func() { f.fly(s, e) })
		}
		if len(s.ready) > 0 {
			f.turns = append(f.turns, s)
		}
	}
}

// fly handles an event.
func (f *flight) fly(s *subject, e *event) {
	f.mu.Lock()
	err, cursor := f.err, f.cursor // never behind this one: others have not been told of it yet
	f.mu.Unlock()
	if err == nil {
		err = f.handle(e.Event, cursor)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.land(e, err)
	f.running--
	if waiting := f.lanes[e.lane]; len(waiting) == 0 {
		delete(f.lanes, e.lane)
	} else {
		f.lanes[e.lane] = waiting[1:]
		f.queue(waiting[0])
	}
	if s.running--; s.running == 0 && len(s.ready) == 0 {
		delete(f.subjects, e.Subject)
	}
	f.dispatch()
}

// mark lets something happen when everything that was taken before is done. It must not wait.
func (f *flight) mark(then func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := &event{then: then}
	f.order = append(f.order, e)
	f.land(e, nil)
}

// land notes that an event is done, or why not.
func (f *flight) land(e *event, err error) {
	e.done = err == nil
	for err == nil && len(f.order) > 0 && f.order[0].done {
		first := f.order[0]
		f.order = f.order[1:]
		if first.then != nil {
			first.then()
			continue
		}
		f.open--
		f.cursor = first.Cursor
		err = f.landed(first.Event)
	}
	if err != nil && f.err == nil {
		f.err = err
		f.cut()
	}
}

// wait until everything that was taken is done or has failed. It returns where to go on, and
// the first error.
func (f *flight) wait() (cursor []byte, err error) {
	f.work.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cursor, f.err
}

// pass notes that everything up to a cursor is done, when nothing is on its way.
func (f *flight) pass(cursor []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cursor = cursor
}
