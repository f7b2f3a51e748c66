package outbox

import (
	"slices"
	"sync"
	"time"
)

const (
	// tailed is how many events the tail keeps, each for a moment: waiting readers come at once,
	// and later ones use the database. A large event is not kept.
	tailed = 128
	large  = 16 << 10
	moment = time.Second
)

// tail holds the newest events that this process has stored, so that a waiting reader need not
// query the database. The sequences in it have no gap: nothing that another process has stored lies
// between them.
type tail struct {
	mu      sync.Mutex
	entries []entry
	last    time.Time // when the newest came
}

// add takes a committed event. Events are added in the order of their sequences.
func (t *tail) add(e entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.entries); n > 0 && (t.entries[n-1].seq+1 != e.seq || time.Since(t.last) > moment) {
		t.entries = nil
	}
	if len(e.Data) > large {
		t.entries = nil
		return
	}
	if len(t.entries) == tailed {
		t.entries = slices.Clone(t.entries[tailed/2:])
	}
	t.entries, t.last = append(t.entries, e), time.Now()
}

// behind returns the events after a sequence that the filter selects. With known these are all that
// this process has stored; otherwise ask the database.
func (t *tail) behind(seq int64, f Filter) (found []entry, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.last) > moment {
		t.entries = nil
	}
	if len(t.entries) == 0 || t.entries[0].seq > seq+1 {
		return nil, false
	}
	for _, e := range t.entries {
		if e.seq > seq && takes(f.Types, e.Type) && takes(f.Instances, e.Instance) {
			found = append(found, e)
		}
	}
	return found, true
}

// forget drops everything: some of it may be gone from the database.
func (t *tail) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = nil
}

func takes(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
