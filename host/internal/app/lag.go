package app

import (
	"slices"
	"sync"
	"time"
)

// catchUp is how long timeouts wait for what does not catch up.
const catchUp = 2 * time.Minute

// lag knows of which subjects, such as instances, events may be on their way that were made
// before now: because a stream is not open or has yet to catch up, or because its node says so
// of the subject. Only nodes that say when they have caught up are asked.
type lag struct {
	mu      sync.Mutex
	streams map[place]*streamLag
}

// streamLag is how one stream stands.
type streamLag struct {
	events   *flight              // of the open stream
	since    time.Time            // zero: it has caught up
	subjects map[string]time.Time // that are behind, since when
	told     map[string]bool      // those of which this opening of the stream has said so
}

// open notes that there is a stream, or is to be one.
func (l *lag) open(at place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams[at] == nil {
		l.streams[at] = &streamLag{since: time.Now(), subjects: map[string]time.Time{}, told: map[string]bool{}}
	}
}

// reads notes that a stream is open, with its events on their way.
func (l *lag) reads(at place, events *flight) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.streams[at]; s != nil {
		s.events = events
	}
}

// broken notes that a stream has ended. What its node said of subjects stays until it says
// something else, so that nothing begins anew when a node comes and goes.
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

// drop forgets a stream that nobody wants any more.
func (l *lag) drop(at place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.streams, at)
}

// caughtUp notes that a stream has caught up, but for the subjects of which it said otherwise.
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

// subject notes what a stream says of a subject.
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

// behind says whether events of a subject may be missing, or one that answers a run is being
// handled; and with empty names, whether events of any may be missing.
func (l *lag) behind(subject, run string) bool {
	late, events := l.late(subject)
	// Not under the lock: a flight says under its own what has caught up.
	return late || run != "" && slices.ContainsFunc(events, func(f *flight) bool { return f.answers(run) })
}

// late says whether events of a subject may be missing, and which are being handled.
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
