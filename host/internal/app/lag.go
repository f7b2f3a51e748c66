package app

import (
	"slices"
	"sync"
	"time"
)

// catchUp is how long timeouts wait for a stream or subject that does not catch up.
const catchUp = 2 * time.Minute

// lag tracks the subjects, such as instances, of which earlier events may still be on their way:
// because a stream is not open or has not caught up yet, or because its node reports the subject as
// behind. Only nodes that report when they have caught up are included.
type lag struct {
	mu      sync.Mutex
	streams map[place]*streamLag
}

// streamLag is the state of one stream.
type streamLag struct {
	events   *flight              // in flight, while the stream is open
	since    time.Time            // when it fell behind; zero if it has caught up
	subjects map[string]time.Time // that are behind, and since when
	told     map[string]bool      // subjects reported as behind since the stream was opened
}

// open records a stream that is open or about to be opened.
func (l *lag) open(at place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams[at] == nil {
		l.streams[at] = &streamLag{since: time.Now(), subjects: map[string]time.Time{}, told: map[string]bool{}}
	}
}

// reads records that a stream is open, with its events in flight.
func (l *lag) reads(at place, events *flight) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.streams[at]; s != nil {
		s.events = events
	}
}

// broken records that a stream has ended. What its node reported of subjects stays until it reports
// otherwise, so that the wait for a subject does not start over when a node restarts.
func (l *lag) broken(at place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.streams[at]; s != nil {
		s.events, s.told = nil, map[string]bool{}
		if s.since.IsZero() {
			s.since = time.Now()
		}
	}
}

// drop forgets a stream that is no longer wanted.
func (l *lag) drop(at place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.streams, at)
}

// caughtUp records that a stream has caught up, except for the subjects that it has reported as
// behind since it was opened.
func (l *lag) caughtUp(at place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.streams[at]
	if s == nil {
		return
	}
	s.since = time.Time{}
	for subject := range s.subjects {
		if !s.told[subject] {
			delete(s.subjects, subject)
		}
	}
}

// subject records whether a stream reports a subject as behind.
func (l *lag) subject(at place, name string, behind bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.streams[at]
	switch {
	case s == nil:
	case !behind:
		delete(s.subjects, name)
	default:
		s.told[name] = true
		if s.subjects[name].IsZero() {
			s.subjects[name] = time.Now()
		}
	}
}

// behind reports whether events of a subject may be missing, or an event that answers a run is
// being handled. With empty names it reports whether events of any subject may be missing.
func (l *lag) behind(subject, run string) bool {
	late, events := l.late(subject)
	// Outside the lock: a flight calls caughtUp and subject while it holds its own lock.
	return late || run != "" && slices.ContainsFunc(events, func(f *flight) bool { return f.answers(run) })
}

// late reports whether events of a subject may be missing. If not, it returns the events in flight.
func (l *lag) late(subject string) (late bool, events []*flight) {
	recent := func(since time.Time) bool { return !since.IsZero() && time.Since(since) < catchUp }
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.streams {
		if recent(s.since) || subject != "" && recent(s.subjects[subject]) {
			return true, nil
		}
		if s.events != nil {
			events = append(events, s.events)
		}
	}
	return false, events
}
