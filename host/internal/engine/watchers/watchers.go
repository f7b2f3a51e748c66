// Package watchers wakes the watchers of runs: a change of a run wakes the watchers of that run and
// the watchers of all runs.
//
// A watcher that has joined before it looks misses nothing: every later change wakes it. Waking
// never blocks, and costs as much as there are watchers of that run.
package watchers

import "sync"

// Set is a set of watchers. Its zero value is empty. It is safe for several goroutines.
type Set struct {
	mu    sync.Mutex
	byRun map[string]map[chan struct{}]struct{} // "" has the watchers of all runs
}

// Join adds a watcher of a run or (with an empty run) of all runs, until leave is called. woken
// gets a token when something has changed since the last token.
func (s *Set) Join(run string) (woken <-chan struct{}, leave func()) {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byRun == nil {
		s.byRun = map[string]map[chan struct{}]struct{}{}
	}
	if s.byRun[run] == nil {
		s.byRun[run] = map[chan struct{}]struct{}{}
	}
	s.byRun[run][c] = struct{}{}
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if delete(s.byRun[run], c); len(s.byRun[run]) == 0 {
			delete(s.byRun, run)
		}
	}
}

// Wake wakes the watchers of the run and those of all runs.
func (s *Set) Wake(run string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wake(s.byRun[""])
	if run != "" {
		wake(s.byRun[run])
	}
}

// WakeAll wakes every watcher.
func (s *Set) WakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, those := range s.byRun {
		wake(those)
	}
}

func wake(those map[chan struct{}]struct{}) {
	for c := range those {
		select {
		case c <- struct{}{}:
		default: // there is a token already
		}
	}
}
