// Package memory gives back what a process does not need any more.
//
// Go lets its heap grow to twice what was in use, looks at it again when that is full, and keeps the
// room for the next time. A node whose thousand instances have logged in, or have just finished a
// campaign, may do next to nothing for hours, and would hold for all that time what the burst took.
//
// What the package guarantees: while the process works nothing is collected that Go would not have
// collected; after it has come to rest it holds little more than it uses, within seconds or, of what
// was still in use when Go collected last, within the two minutes after which Go collects anyway; and
// what it costs to find that out, and to give back, is a small part of a core.
package memory

import (
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	often = time.Second // between two looks
	rest  = 2 << 20     // bytes that a process at rest allocates from one look to the next, at most
	spare = 8 << 20     // bytes that are not worth a collection,
	share = 4           // nor is this part of what is in use
)

// Keeper looks after the memory of the process. Make one with [New].
type Keeper struct {
	release   func()
	figures   []metrics.Sample
	allocated uint64 // at the last look

	stop chan struct{}
	done sync.WaitGroup
}

// New returns a keeper that does nothing before Start. release lets go of what can be had again.
func New(release func()) *Keeper {
	return &Keeper{release: release, stop: make(chan struct{}), figures: []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}}
}

// Start begins to look.
func (k *Keeper) Start() {
	k.done.Go(func() {
		tick := time.NewTicker(often)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				k.look()
			case <-k.stop:
				return
			}
		}
	})
}

// Stop ends it.
func (k *Keeper) Stop() {
	close(k.stop)
	k.done.Wait()
}

// look gives back what is worth it, and reports whether it did.
func (k *Keeper) look() bool {
	metrics.Read(k.figures)
	h := heap{
		allocated: k.figures[0].Value.Uint64(), live: k.figures[1].Value.Uint64(),
		objects: k.figures[2].Value.Uint64(), free: k.figures[3].Value.Uint64(),
	}
	before := k.allocated
	k.allocated = h.allocated
	if !h.wasteful(before) {
		return false
	}
	k.release()
	debug.FreeOSMemory()
	return true
}

// heap is what Go says of it, in bytes.
type heap struct {
	allocated uint64 // since the process began
	live      uint64 // what the last collection found in use
	objects   uint64 // that, with what is new or not in use any more
	free      uint64 // and is still the process's
}

// wasteful reports whether the process is at rest and holds more than it needs. before is what it had
// allocated at the last look.
func (h heap) wasteful(before uint64) bool {
	if h.allocated-before > rest {
		return false
	}
	return h.free+h.objects > h.live+max(spare, h.live/share)
}
