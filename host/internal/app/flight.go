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
	// inCompany is that number when other subjects have events, too: an event of another subject
	// waits for these to pass at each step of its way.
	inCompany = 1
	// window is how many a node may send before one of them is acknowledged.
	window = 2 * parallel
)

// errWindow means that a node breaks the contract, and would fill the host's memory.
var errWindow = fmt.Errorf("the node sent more than %d events without an acknowledgement", window)

// flight holds the events of one stream that are being handled. Events of one lane are handled one
// after the other, those of different lanes in parallel, and subjects take turns. It acknowledges
// an event when all before it are done, and its cursor, the one to resume from after a crash, is
// that of the last such event.
type flight struct {
	handle func(ev sdk.Event, cursor []byte) error
	landed func(ev sdk.Event) error // in the order of the stream, one at a time
	cut    context.CancelFunc       // ends the stream when an event fails

	work sync.WaitGroup

	mu       sync.Mutex
	lanes    map[string][]*event // events that wait while another of their lane is handled
	subjects map[string]*subject // those that have events
	turns    []*subject          // subjects with ready events; the first one is next
	company  crowd.Crowd
	share    int // how many events of one subject may be handled at once
	running  int
	order    []*event // events not done, or after one that is not
	open     int      // events in order, without the marks
	cursor   []byte   // of the last event that, like all before it, is done
	err      error
}

// event is an event in flight, or a function to call when everything before it is done.
type event struct {
	sdk.Event
	lane string
	done bool
	then func()
}

// subject is what events are about.
type subject struct {
	ready   []*event // each the first of its lane
	running int
}

func newFlight(cursor []byte, cut context.CancelFunc, handle func(sdk.Event, []byte) error, landed func(sdk.Event) error) *flight {
	return &flight{handle: handle, landed: landed, cut: cut, lanes: map[string][]*event{}, subjects: map[string]*subject{}, cursor: cursor}
}

// laneOf names the lane of an event: the run that it answers, or else its subject.
func laneOf(ev sdk.Event) string {
	if run := engine.RunIn(ev.Correlation); run != "" {
		return laneOfRun(run)
	}
	return "subject " + ev.Subject
}

func laneOfRun(run string) string { return "run " + run }

// answers reports whether an event that answers a run is in flight.
func (f *flight) answers(run string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, busy := f.lanes[laneOfRun(run)]
	return busy
}

// take accepts an event, which is handled when its turn comes. An event that it refuses leaves
// nothing behind.
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

// dispatch starts ready events as long as fewer than parallel are running.
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
	err, cursor := f.err, f.cursor // never past this event, whose outgoing events may not be stored yet
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

// mark calls then when every event taken before is done. then must not block.
func (f *flight) mark(then func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := &event{then: then}
	f.order = append(f.order, e)
	f.land(e, nil)
}

// land records that an event is done, or why it failed.
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

// wait waits until every event taken is done or has failed. It returns the cursor to resume from,
// and the first error.
func (f *flight) wait() (cursor []byte, err error) {
	f.work.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cursor, f.err
}

// pass records that everything up to a cursor is done, when no event is in flight.
func (f *flight) pass(cursor []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cursor = cursor
}
