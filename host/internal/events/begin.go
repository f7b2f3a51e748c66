package events

import (
	"context"
	"time"
)

// next returns how long no lane will be due, and whether there is nothing left to deliver or store.
func (d *sender) next() (wait time.Duration, idle bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.s.opt.Now()
	switch {
	case len(d.lanes) == 0 && d.busy == 0:
		return time.Millisecond, d.record.empty() && d.breaker.closed()
	case d.busy >= d.hook.Parallel, d.breaker.probe:
		return maxDelay, false // the end of an attempt signals
	case !d.breaker.closed():
		return max(d.breaker.until.Sub(now), time.Millisecond), false
	}
	wait = maxDelay
	for _, l := range d.lanes {
		if !l.busy && len(l.queue) > 0 {
			wait = min(wait, l.at.Sub(now))
		}
	}
	return max(wait, time.Millisecond), false
}

// begin starts workers for the lanes that are due, up to the webhook's limit of parallel calls.
// While the breaker is open, it lets the lane that is due first probe the receiver, and makes dead
// letters of expired events without a call.
func (d *sender) begin(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.s.opt.Now()
	if !d.breaker.closed() {
		name := d.earliest()
		switch {
		case name == "" && d.busy == 0:
			d.breaker = breaker{} // no event is left to probe the receiver with
		case name != "" && d.breaker.allows(now):
			d.start(ctx, name, probe)
		}
		for name, l := range d.lanes {
			if !l.busy && len(l.queue) > 0 && l.queue[0].old(now) {
				d.start(ctx, name, bury)
			}
		}
		return
	}
	for name, l := range d.lanes {
		if d.busy >= d.hook.Parallel {
			return
		}
		if !l.busy && len(l.queue) > 0 && !l.at.After(now) {
			d.start(ctx, name, deliver)
		}
	}
}

// old reports whether an event has expired: it is not tried any more.
func (i *item) old(now time.Time) bool { return i.stored.Before(now.Add(-tryFor)) }

// errand is the task of a worker.
type errand int

const (
	deliver errand = iota // deliver events, one after the other
	probe                 // make an attempt while the breaker is open; if it succeeds, deliver on
	bury                  // make dead letters of expired events
)

func (d *sender) start(ctx context.Context, name string, what errand) {
	l := d.lanes[name]
	l.busy = true
	d.busy++
	d.s.senders.Go(func() { d.work(ctx, name, l, what) })
}

func (d *sender) earliest() (name string) {
	for n, l := range d.lanes {
		if !l.busy && len(l.queue) > 0 && (name == "" || l.at.Before(d.lanes[name].at)) {
			name = n
		}
	}
	return name
}
