package app

import (
	"context"
	"sync"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/sdk"
)

// parallel is how many events of a stream are handled at the same time. They share commits.
const parallel = 64

// flight is the events of one stream that are being handled: those that belong together one
// after the other, the others side by side. It acknowledges an event when all before it are
// done, and knows where to go on after a crash: behind the last such event.
type flight struct {
	handle func(ev sdk.Event, cursor []byte) error
	landed func(ev sdk.Event) error // in the order of the stream, one at a time
	cut    context.CancelFunc       // ends the stream when one fails

	places chan struct{}
	work   sync.WaitGroup

	mu     sync.Mutex
	lanes  map[string][]*event // what waits for the one of its lane that is handled
	order  []*event            // not done, or behind one that is not
	cursor []byte              // behind everything that is done
	err    error
}

// event on its way.
type event struct {
	sdk.Event
	lane string
	done bool
}

func newFlight(cursor []byte, cut context.CancelFunc, handle func(sdk.Event, []byte) error, landed func(sdk.Event) error) *flight {
	return &flight{handle: handle, landed: landed, cut: cut, places: make(chan struct{}, parallel), lanes: map[string][]*event{}, cursor: cursor}
}

// laneOf names what an event belongs to: the run that it answers or else its subject, such as
// an instance.
func laneOf(ev sdk.Event) string {
	if run := engine.RunIn(ev.Correlation); run != "" {
		return "run " + run
	}
	return "subject " + ev.Subject
}

// take begins to handle an event when there is a place, unless ctx ends.
func (f *flight) take(ctx context.Context, ev sdk.Event) error {
	select {
	case f.places <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	e := &event{Event: ev, lane: laneOf(ev)}
	f.order = append(f.order, e)
	if waiting, busy := f.lanes[e.lane]; busy {
		f.lanes[e.lane] = append(waiting, e)
		return nil
	}
	f.lanes[e.lane] = nil
	f.work.Go(func() { f.follow(e) })
	return nil
}

// follow handles an event and those of its lane that come meanwhile.
func (f *flight) follow(e *event) {
	for e != nil {
		err := f.failed()
		if err == nil {
			err = f.handle(e.Event, f.before(e))
		}
		e = f.land(e, err)
		<-f.places
	}
}

func (f *flight) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// before is what may be stored with the outcome of an event: its own cursor if everything
// before it is done, and else that of what is.
func (f *flight) before(e *event) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.order[0] == e {
		return e.Cursor
	}
	return f.cursor
}

// land notes that an event is done, and gives the next of its lane.
func (f *flight) land(e *event, err error) (next *event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.done = err == nil; e.done {
		for err == nil && len(f.order) > 0 && f.order[0].done {
			f.cursor = f.order[0].Cursor
			err = f.landed(f.order[0].Event)
			f.order = f.order[1:]
		}
	}
	if err != nil && f.err == nil {
		f.err = err
		f.cut()
	}
	waiting := f.lanes[e.lane]
	if len(waiting) == 0 {
		delete(f.lanes, e.lane)
		return nil
	}
	f.lanes[e.lane] = waiting[1:]
	return waiting[0]
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
