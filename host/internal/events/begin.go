package events

import (
	"context"
	"time"
)

// next says how long there is nothing to begin, and whether there is nothing at all.
func (d *sender) next() (wait time.Duration, idle bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.s.opt.Now()
	switch {
	case len(d.lanes) == 0 && d.busy == 0:
		return time.Millisecond, d.record.empty() && d.breaker.closed()
	case d.busy >= d.hook.Parallel, d.breaker.probe:
		return maxDelay, false // the end of an attempt wakes it
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

// begin lets workers deliver the lanes that are due, as many as may call at the same time. To
// find out whether a receiver is back, the lane that is due first is tried; meanwhile what is too old
// goes without a call.
func (d *sender) begin(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.s.opt.Now()
	if !d.breaker.closed() {
		name := d.earliest()
		switch {
		case name == "" && d.busy == 0:
			d.breaker = breaker{} // there is nothing to find out with
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

// old says whether an event is not tried any more.
func (i *item) old(now time.Time) bool { return i.stored.Before(now.Add(-tryFor)) }

// errand is what a worker is sent for.
type errand int

const (
	deliver errand = iota // events, one after the other
	probe                 // one attempt, to find out whether the receiver is back
	bury                  // what is too old
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
