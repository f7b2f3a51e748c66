package events

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// work delivers the events of a lane one after the other, until one fails, the lane has had its
// turn, or ctx ends. With bury it only turns expired events into dead letters.
func (d *sender) work(ctx context.Context, name string, l *lane, what errand) {
	defer d.leave(name, l, what)
	for n := 0; n < turn && ctx.Err() == nil; n++ {
		hook, i, ok := d.first(l, what)
		if !ok || what == bury && !i.old(d.s.opt.Now()) {
			return
		}
		ev, err := d.event(ctx, i)
		switch {
		case errors.Is(err, sqldb.ErrNotFound): // removed, because the outbox was over its limit
			d.gone(l, i)
			continue
		case err != nil:
			d.again(name, l, i, failedCommit)
			return
		}
		if i.old(d.s.opt.Now()) {
			d.expire(l, i, ev)
			continue
		}
		a := d.s.post(d.s.calling, hook, ev, i.attempt+1)
		if d.s.calling.Err() != nil && !a.ok() { // cancelled by Stop, which is not the receiver's fault
			d.again(name, l, i, 0)
			return
		}
		if !d.heard(name, l, i, ev, a) {
			return
		}
	}
}

// first returns the next event of a lane, and false if there is none or, for deliver, if the
// breaker is open.
func (d *sender) first(l *lane, what errand) (*Webhook, *item, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(l.queue) == 0 || what == deliver && !d.breaker.closed() {
		return nil, nil, false
	}
	return d.hook, l.queue[0], true
}

func (d *sender) event(ctx context.Context, i *item) (Event, error) {
	if i.event != nil {
		return *i.event, nil
	}
	return d.s.box.at(ctx, i.position)
}

// pop removes the first event from its lane and marks it as settled.
func (d *sender) pop(l *lane, i *item) {
	l.queue = l.queue[1:]
	i.settled = true
	if i.row {
		d.waiting--
		d.record.drop(i.position)
	}
}

func (d *sender) gone(l *lane, i *item) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pop(l, i)
	d.record.lost++
}

func (d *sender) expire(l *lane, i *item, ev Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pop(l, i)
	d.record.bury(ev, i.attempt, codeExpired, "it was tried for "+tryFor.String(), d.s.opt.Now())
}

// again postpones an event without counting an attempt.
func (d *sender) again(name string, l *lane, i *item, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.putOff(name, l, i, d.s.opt.Now().Add(wait))
}

// putOff moves a lane to the database: its first event waits there until at, the others behind it.
func (d *sender) putOff(name string, l *lane, i *item, at time.Time) {
	l.at = at
	d.shelve(name, i, at)
	for _, behind := range l.queue[1:] {
		if !behind.row {
			d.shelve(name, behind, at)
		}
	}
}

// heard records the outcome of an attempt. It returns true if the next event of the lane may follow.
func (d *sender) heard(name string, l *lane, i *item, ev Event, a Attempt) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.s.opt.Now()
	d.record.attempts = append(d.record.attempts, a)
	i.attempt = a.Attempt
	if a.ok() {
		d.pop(l, i)
		l.at = time.Time{}
		if d.breaker.heard(true, now) { // the receiver is back, so every lane is due now
			for _, other := range d.lanes {
				other.at = time.Time{}
			}
		}
		d.signal()
		return true
	}
	d.s.opt.Logger.Debug("an event was not taken", "webhook", d.id, "event", ev.ID, "status", a.Status, "err", a.Error)
	if a.Status == http.StatusGone {
		d.pop(l, i)
		d.record.bury(ev, a.Attempt, codeGone, a.Error, now)
		d.record.gone = true
		d.quit() // the last commit of this life disables the webhook
		return false
	}
	d.breaker.heard(false, now)
	if asked := now.Add(a.retryAfter); !d.breaker.closed() && asked.After(d.breaker.until) {
		d.breaker.until = asked
	}
	d.putOff(name, l, i, now.Add(max(pause(i.attempt-1, firstDelay, maxDelay), a.retryAfter)))
	return false
}

// leave marks the lane as idle, deletes it if it is empty, and frees the worker's slot.
func (d *sender) leave(name string, l *lane, what errand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if what == probe {
		d.breaker.probe = false
	}
	l.busy = false
	d.busy--
	if len(l.queue) == 0 && d.lanes[name] == l {
		delete(d.lanes, name)
	}
	d.signal()
}
