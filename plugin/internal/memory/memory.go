// Package memory returns memory that the process no longer needs to the operating system.
//
// Go lets the heap grow to twice its last live size before it collects, and keeps the freed space
// for reuse. A node whose thousand instances have just logged in or finished a campaign may then be
// nearly idle for hours, and would hold the memory of that burst all the time.
//
// What the package guarantees: while the process works, nothing is collected that Go would not have
// collected. After the process has come to rest, it holds little more than it uses: within seconds,
// or, for memory still in use at Go's last collection, within the two minutes after which Go
// collects anyway. The checks and the release cost a small part of one core.
package memory

import (
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	often = time.Second // between two checks
	rest  = 2 << 20     // bytes that an idle process allocates between two checks, at most
	spare = 8 << 20     // bytes of excess that are not worth a collection,
	share = 4           // nor is an excess of 1/share of the memory in use
)

// Keeper manages the memory of the process. Make one with [New].
type Keeper struct {
	release   func()
	figures   []metrics.Sample
	allocated uint64 // at the last check

	stop chan struct{}
	done sync.WaitGroup
}

// New returns a keeper that does nothing before Start. release is called to drop data that can be
// obtained again.
func New(release func()) *Keeper {
	return &Keeper{release: release, stop: make(chan struct{}), figures: []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}}
}

// Start begins the checks.
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

// Stop ends the checks and waits for the last one.
func (k *Keeper) Stop() {
	close(k.stop)
	k.done.Wait()
}

// look releases memory if that is worthwhile, and reports whether it did.
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

// heap holds Go's heap figures, in bytes.
type heap struct {
	allocated uint64 // allocated since the process started
	live      uint64 // found in use by the last collection
	objects   uint64 // live, plus objects allocated since or no longer used
	free      uint64 // unused, but not returned to the operating system
}

// wasteful reports whether the process is idle and holds more than it needs. before is the
// allocated figure of the last check.
func (h heap) wasteful(before uint64) bool {
	if h.allocated-before > rest {
		return false
	}
	return h.free+h.objects > h.live+max(spare, h.live/share)
}
