package engine

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// Limits of the hot runs. hotBytes bounds the size of their states as they are given to the Log.
const (
	hotRuns  = 1000
	hotBytes = 2 << 20
)

// hot caches the runs that were changed last, so that the next change of one neither reads nor
// decodes it. A cached run may be old, because another host may have changed it: the Log refuses a
// change that was computed from a revision other than the newest.
type hot struct {
	mu    sync.Mutex
	runs  *simplelru.LRU[string, hotRun]
	bytes int
}

// hotRun is a run at a revision. Its state is never changed.
type hotRun struct {
	state    run.State
	revision uint64
	bytes    int
}

func newHot() (*hot, error) {
	h := &hot{}
	var err error
	h.runs, err = simplelru.NewLRU(hotRuns, func(_ string, r hotRun) { h.bytes -= r.bytes })
	return h, err
}

// find returns a run, if it is cached.
func (h *hot) find(id string) (hotRun, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.runs.Get(id)
}

// keep caches a run.
func (h *hot) keep(id string, r hotRun) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.runs.Remove(id)
	h.runs.Add(id, r)
	for h.bytes += r.bytes; h.bytes > hotBytes; {
		h.runs.RemoveOldest()
	}
}

func (h *hot) forget(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.runs.Remove(id)
}
