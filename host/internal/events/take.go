package events

import (
	"context"
	"errors"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// load reads the webhook's position and its queue from the database, once per life.
func (d *sender) load(ctx context.Context) error {
	if d.loaded {
		return nil
	}
	w, err := d.s.store.find(ctx, d.s.opt.DB, d.id)
	if errors.Is(err, sqldb.ErrNotFound) || err == nil && !w.Enabled {
		return errRemoved
	}
	if err != nil {
		return err
	}
	rows, err := d.s.store.queue(ctx, w.ID)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.loaded, d.taken, d.mark, d.stored, d.waiting = true, w.position, w.position, w.position, len(rows)
	d.ahead = map[uint64]bool{}
	for _, q := range rows {
		if q.position > w.position {
			d.ahead[q.position] = true
		}
		l := d.lane(q.lane)
		l.queue = append(l.queue, &item{position: q.position, stored: q.stored, attempt: q.attempt, row: true, settled: true})
		if len(l.queue) == 1 {
			l.at = q.at
		}
	}
	return nil
}

func (d *sender) lane(name string) *lane {
	l := d.lanes[name]
	if l == nil {
		l = &lane{}
		d.lanes[name] = l
	}
	return l
}

// take takes events from the outbox, as many as fit into the window. While the breaker is open, it
// takes only expired events.
func (d *sender) take(ctx context.Context) (look, error) {
	d.mu.Lock()
	now, room, after, hook := d.s.opt.Now(), window-len(d.order), d.taken, d.hook
	open := !d.breaker.closed()
	switch {
	case !open:
	case now.Sub(d.expired) < firstOpen:
		room = 0
	default:
		d.expired = now
	}
	d.mu.Unlock()
	if room <= 0 {
		return seenNot, nil
	}
	found, err := d.s.box.after(ctx, after, hook.instance(), room)
	if err != nil {
		return seenNot, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range found {
		ev := &found[i]
		old := (&item{stored: ev.Stored}).old(now)
		if open && !old { // the event stays in the outbox
			return seenNot, nil
		}
		d.taken = ev.Position
		if d.ahead[ev.Position] {
			delete(d.ahead, ev.Position)
			continue
		}
		if hook.wants(*ev) {
			d.order = append(d.order, d.accept(hook, ev, old, now))
		}
	}
	switch {
	case len(found) == room:
		return seenSome, nil
	case open:
		return seenNot, nil
	}
	return seenAll, nil
}

// accept puts an event into its lane, or makes a dead letter of it if it is expired or too many
// events wait already. Behind a failed event it waits in the database.
func (d *sender) accept(hook *Webhook, ev *Event, old bool, now time.Time) *item {
	i := &item{position: ev.Position, stored: ev.Stored, event: ev}
	name := hook.lane(*ev)
	l := d.lane(name)
	behind := !l.at.IsZero() || len(l.queue) > 0 && l.queue[0].row
	switch {
	case old:
		d.record.bury(*ev, 0, codeExpired, "it could not be tried within "+tryFor.String(), now)
		i.settled = true
	case behind && d.waiting >= maxWaiting:
		d.record.bury(*ev, 0, codeFull, "too many events wait behind one that failed", now)
		i.settled = true
	default:
		if behind {
			d.shelve(name, i, now)
		}
		l.queue = append(l.queue, i)
		return i
	}
	if len(l.queue) == 0 && !l.busy {
		delete(d.lanes, name)
	}
	return i
}

// shelve moves an item to the queue in the database.
func (d *sender) shelve(name string, i *item, at time.Time) {
	if !i.row {
		d.waiting++
	}
	i.row, i.settled, i.event = true, true, nil
	d.record.wait(queued{position: i.position, lane: name, attempt: i.attempt, at: at})
}
