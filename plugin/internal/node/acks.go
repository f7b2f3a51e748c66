package node

import "sync"

// acks stores a host's acknowledgements beside the stream of events, which would
// otherwise stand still for every one of them. They are cumulative, so while one is
// being stored only the newest waits. One that a crash takes brings its events
// again, with the same ids.
type acks struct {
	store func(cursor []byte) error

	mu      sync.Mutex
	next    []byte // to be stored; nil: none
	err     error  // of the last one stored
	storing sync.WaitGroup
	busy    bool
}

// put takes a cursor and returns at once, with the error of an earlier one.
func (a *acks) put(cursor []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next = cursor
	if !a.busy {
		a.busy = true
		a.storing.Go(a.flush)
	}
	err := a.err
	a.err = nil
	return err
}

// flush stores what is waiting, until nothing is.
func (a *acks) flush() {
	for {
		a.mu.Lock()
		cursor := a.next
		a.next, a.busy = nil, cursor != nil
		a.mu.Unlock()
		if cursor == nil {
			return
		}
		if err := a.store(cursor); err != nil {
			a.mu.Lock()
			a.err = err
			a.mu.Unlock()
		}
	}
}

// close waits until everything is stored, and returns the error of the last.
func (a *acks) close() error {
	a.storing.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}
