package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/cluster"
)

// pause is longer than the lease of a host, so that the others take over.
const pause = 20 * time.Second

// faults are what happens to the hosts. Customers come while they happen, so that there are some at
// each fault.
type faults struct {
	times, runs int

	mu    sync.Mutex
	began []fault
	over  chan struct{} // closed and replaced after each fault
	blind []stretch     // when a host was cut off from WhatsApp and could not know it
	heals sync.WaitGroup
}

// fault is what was done to a host, and when.
type fault struct {
	at   time.Time
	kind string
	host int
}

// stretch is a period, from and to.
type stretch [2]time.Time

func (s stretch) meets(from, to time.Time) bool { return from.Before(s[1]) && s[0].Before(to) }

// plan makes customers wait for their turn. Without it they do not wait.
func (f *faults) plan(times, runs int) { f.times, f.runs, f.over = times, runs, make(chan struct{}) }

// allow waits until it is the turn of a customer.
func (f *faults) allow(ctx context.Context, n int) {
	for f.times > 0 {
		f.mu.Lock()
		over, now := f.over, len(f.began) > n*f.times/f.runs-2
		f.mu.Unlock()
		if now {
			return
		}
		select {
		case <-over:
		case <-ctx.Done():
			return
		}
	}
}

func (f *faults) begin(kind string, host int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.began = append(f.began, fault{time.Now(), kind, host})
}

func (f *faults) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.times > 0 {
		close(f.over)
		f.over = make(chan struct{})
	}
}

// between counts the faults that began after from and before to.
func (f *faults) between(from, to time.Time) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.began {
		if b.at.After(from) && b.at.Before(to) {
			n++
		}
	}
	return n
}

// trouble inflicts faults of the given kinds on the hosts in turn, each when the runs have made a
// random number of further steps. After every second fault it waits until all instances are served
// again, if there is a watch; the other faults hit whatever is still in progress.
func (c *crash) trouble(times int, kinds ...string) {
	for i := range times {
		until := int64(3*len(c.runs)*i/times + rand.IntN(3*len(c.runs)/times+1))
		for c.moves.Load() < until && c.t.Context().Err() == nil && !c.t.Failed() {
			time.Sleep(5 * time.Millisecond) // a fault needs no precision
		}
		kind, h := kinds[i%len(kinds)], c.any()
		if h.ails.Load() && !slices.Contains([]string{"fail over", "kill Postgres"}, kind) { // a host with a fault already is only killed, or keeps its fault
			kind = []string{"kill a host", "move an instance"}[rand.IntN(2)]
		}
		c.faults.begin(kind, slices.Index(c.hosts(), h))
		c.do(kind, h)
		c.kills[kind]++
		if c.watch != nil && i%2 == 0 {
			c.until(c.watch.served)
		}
		c.faults.end()
	}
	c.faults.heals.Wait()
}

// do does one thing to a host.
func (c *crash) do(kind string, h *mortalHost) {
	switch kind {
	case "kill a host":
		h.kill()
	case "lose a host":
		h.lose(pause)
	case "kill a node":
		h.killNode(c.t)
	case "kill Postgres":
		c.base.kill(c.t)
	case "fail over":
		c.both.fail(c.t)
		c.both.follow(c.t)
	case "move an instance":
		c.move(h)
	case "stop a host":
		h.asleep.Store(true)
		h.signal(c.t, syscall.SIGSTOP)
		c.ails(h, func() {
			h.signal(c.t, syscall.SIGCONT)
			h.asleep.Store(false)
		})
	case "cut off the database":
		for _, l := range c.way(h).postgreses {
			l.cut()
		}
		h.cut.Store(true)
		c.ails(h, func() {
			for _, l := range c.way(h).postgreses {
				l.heal()
			}
			h.cut.Store(false)
		})
	case "cut off WhatsApp":
		l := c.way(h).whatsapp
		l.cut()
		c.faults.blindness()
		c.ails(h, l.heal)
	default:
		c.t.Errorf("nobody knows how to %s", kind)
	}
}

// blindness records a period from when a host is cut off from WhatsApp until it must have noticed
// and be back.
func (f *faults) blindness() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blind = append(f.blind, stretch{time.Now(), time.Now().Add(pause + time.Minute)})
}

// ails marks a host as having a fault, and heals it after a while.
func (c *crash) ails(h *mortalHost, heal func()) {
	h.ails.Store(true)
	c.faults.heals.Go(func() {
		time.Sleep(pause)
		heal()
		h.ails.Store(false)
	})
}

// works reports whether the host works, so that the others need not take over.
func (h *mortalHost) works() bool { return !h.asleep.Load() && !h.cut.Load() }

// way returns the links from a host to the world.
func (c *crash) way(h *mortalHost) *way { return &c.links[slices.Index(c.hosts(), h)] }

// signal stops or wakes a host and its node.
func (h *mortalHost) signal(t *testing.T, s syscall.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cmd == nil || h.cmd.Process == nil {
		return
	}
	for _, pid := range append(children(t, h.cmd.Process.Pid), h.cmd.Process.Pid) {
		_ = syscall.Kill(pid, s) // it may have ended
	}
}

// move asks one host to give an instance to a random host, which may be asleep.
func (c *crash) move(ask *mortalHost) {
	var all struct{ Hosts []cluster.Host }
	if ask.control.get(c.t.Context(), http.MethodGet, v1("hosts"), nil, nil, &all) != nil || len(all.Hosts) == 0 {
		return // the host was killed
	}
	body := fmt.Appendf(nil, `{"host":%q}`, all.Hosts[rand.IntN(len(all.Hosts))].ID)
	_ = ask.control.get(c.t.Context(), http.MethodPost, v1("instances", crashInstance(rand.IntN(c.instances)), "move"), nil, body, nil)
}
