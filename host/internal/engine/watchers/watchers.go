// Package watchers wakes those who watch runs: a change of a run those who watch it, and
// those who watch all runs.
//
// Whoever has joined before looking misses nothing: what comes afterwards wakes. Waking
// waits for nobody, and costs as much as there are watchers of that run.
package watchers

import "sync"

// Set is everybody who watches. Its zero value is nobody. It is safe for several goroutines.
type Set struct {
	mu    sync.Mutex
	byRun map[string]map[chan struct{}]struct{} // of all runs: ""
}

// Join adds somebody who watches a run, or with an empty run all, until leave is called.
// woken gets a token when there is something new since the last one.
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

// Wake wakes those who watch the run or all.
func (s *Set) Wake(run string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wake(s.byRun[""])
	if run != "" {
		wake(s.byRun[run])
	}
}

// WakeAll wakes everybody.
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
