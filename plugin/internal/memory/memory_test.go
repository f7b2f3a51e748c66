package memory

import (
	"bytes"
	"runtime/debug"
	"runtime/metrics"
	"testing"
)

func TestWasteful(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct {
		heap   heap
		before uint64
		want   bool
	}{
		"at work":               {heap{allocated: 100 * mib, live: 20 * mib, objects: 60 * mib, free: 90 * mib}, 50 * mib, false},
		"at rest after a burst": {heap{allocated: 100 * mib, live: 20 * mib, objects: 40 * mib, free: 0}, 100*mib - 1, true},
		"holds free pages":      {heap{allocated: 100 * mib, live: 20 * mib, objects: 20 * mib, free: 30 * mib}, 100 * mib, true},
		"has little to give":    {heap{allocated: 100 * mib, live: 10 * mib, objects: 13 * mib, free: 4 * mib}, 100 * mib, false},
		"uses most of it":       {heap{allocated: 900 * mib, live: 400 * mib, objects: 450 * mib, free: 40 * mib}, 900 * mib, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.heap.wasteful(c.before); got != c.want {
				t.Errorf("wasteful is %v of %+v", got, c.heap)
			}
		})
	}
}

var last []byte // lest the compiler leaves them out

func TestGivesBack(t *testing.T) {
	debug.FreeOSMemory()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // who collects is the keeper
	for range 64 {
		last = bytes.Repeat([]byte{1}, 1<<20)
	}
	released := 0
	k := New(func() { released++ })
	if k.look() {
		t.Error("memory was taken for spare while the process worked")
	}
	if !k.look() {
		t.Fatal("64 MiB that nobody uses were kept")
	}
	left := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(left)
	if n := left[0].Value.Uint64() + left[1].Value.Uint64(); n > 32<<20 {
		t.Errorf("%d bytes are held", n)
	}
	if k.look() {
		t.Error("memory was given back that had been given back")
	}
	if released != 1 {
		t.Errorf("caches were let go %d times, want once", released)
	}
}

func TestStop(t *testing.T) {
	k := New(func() {})
	k.Start()
	k.Stop()
}
