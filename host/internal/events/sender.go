package events

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"
)

const (
	// window is how many events of a webhook are on their way at the same time; after a crash
	// so many at most are delivered again.
	window = 1024
	// turn is how many events of a lane are delivered before others get its place.
	turn = 16
	// maxWaiting is how many events may wait for a webhook behind failed ones.
	maxWaiting = 10_000
	// moved is how far a position may go on without being stored when there is nothing to say.
	moved = 1000
	// failedCommit is how long a sender rests after its database could not be used.
	failedCommit = time.Second
)

// sender delivers to one webhook: each lane in its order, lanes side by side. One goroutine
// takes events from the outbox, begins what is due and stores what became of it; it ends when
// there is nothing to do, and begins anew when it is woken.
type sender struct {
	s  *Service
	id string // of the webhook

	mu      sync.Mutex
	hook    *Webhook // as it is now
	running bool
	removed bool               // nothing of it may begin any more
	quit    context.CancelFunc // of the present life
	off     bool               // the present life was ended, since the webhook was disabled
	anew    bool               // it was enabled again meanwhile

	more    chan struct{} // holds one token: there may be something to do
	loaded  bool
	taken   uint64  // the position up to which events were taken
	order   []*item // that were taken and are not settled, oldest first
	mark    uint64  // all up to it is settled
	stored  uint64  // the mark in the database
	lanes   map[string]*lane
	waiting int             // items with a row
	ahead   map[uint64]bool // positions of rows that are not taken yet: an earlier life was further
	busy    int             // workers
	breaker breaker
	record  *record
	expired time.Time // when events were last looked through for those that are too old
}

// item is an event on its way. It is settled when it is delivered, or when the next commit
// stores a row or a dead letter of it.
type item struct {
	position uint64
	stored   time.Time
	event    *Event // nil: in the outbox
	attempt  int    // that were made
	row      bool
	settled  bool
}

// lane is events that wait for each other.
type lane struct {
	queue []*item
	at    time.Time // not before
	busy  bool
}

func newSender(s *Service, w *Webhook) *sender {
	return &sender{s: s, id: w.ID, hook: w, more: make(chan struct{}, 1), taken: w.position, mark: w.position, stored: w.position,
		lanes: map[string]*lane{}, record: newRecord()}
}

// wake makes it look for events.
func (d *sender) wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running {
		d.signal()
		return
	}
	if d.removed || !d.hook.Enabled {
		return
	}
	ctx, quit := context.WithCancel(d.s.sending)
	if ctx.Err() != nil {
		quit()
		return
	}
	d.running, d.quit = true, quit
	d.s.senders.Go(func() { d.run(ctx) })
}

func (d *sender) signal() {
	select {
	case d.more <- struct{}{}:
	default: // a token is there already
	}
}

// configure gives it the webhook as it is now.
func (d *sender) configure(w *Webhook) {
	d.mu.Lock()
	running, quit := d.running, d.quit
	if !running && w.Enabled != d.hook.Enabled {
		d.loaded = false // its position may be another one
	}
	d.hook = w
	d.off = running && (d.off || !w.Enabled)
	d.anew = d.off && w.Enabled
	off := d.off
	d.mu.Unlock()
	switch {
	case off:
		quit()
	case w.Enabled:
		d.wake()
	}
}

// remove ends it for good.
func (d *sender) remove() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removed = true
	if d.running {
		d.quit()
	}
}

// floor is the position up to which it needs nothing of the outbox; all of it when it is idle.
func (d *sender) floor() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.running {
		return math.MaxUint64
	}
	floor := d.mark
	for _, l := range d.lanes {
		for _, i := range l.queue {
			floor = min(floor, i.position-1)
		}
	}
	return floor
}

func (d *sender) run(ctx context.Context) {
	for ctx.Err() == nil {
		saw, err := d.pass(ctx)
		switch {
		case errors.Is(err, errRemoved), errors.Is(err, errLease):
			d.quit()
		case err != nil && ctx.Err() == nil:
			d.s.opt.Logger.Warn("events of a webhook cannot be read or stored; trying again", "webhook", d.id, "err", err)
			d.rest(ctx, failedCommit)
		case saw == seenSome:
		default:
			wait, idle := d.next()
			if idle && saw == seenAll && d.idle() {
				return
			}
			d.rest(ctx, wait)
		}
	}
	d.drain()
	d.end()
}

// pass takes what there is, begins what is due, and stores what became of what was begun.
func (d *sender) pass(ctx context.Context) (saw look, err error) {
	if err = d.load(ctx); err == nil {
		saw, err = d.take(ctx)
	}
	d.begin(ctx)
	if kept := d.commit(ctx, false); err == nil {
		err = kept
	}
	return saw, err
}

// look is how much of the outbox a sender has taken.
type look int

const (
	seenNot  look = iota // it may take nothing now
	seenSome             // there may be more
	seenAll
)

// rest waits until there may be something to do, at most for a while.
func (d *sender) rest(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-d.more:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// drain waits for the attempts that are under way and stores what became of them.
func (d *sender) drain() {
	for {
		d.mu.Lock()
		busy := d.busy
		d.mu.Unlock()
		if busy == 0 {
			break
		}
		<-d.more
	}
	if err := d.commit(context.Background(), true); err != nil && !errors.Is(err, errRemoved) && !errors.Is(err, errLease) {
		d.s.opt.Logger.Warn("what became of events could not be stored; some are delivered again", "webhook", d.id, "err", err)
	}
}

// end forgets what it has in memory: the next life begins with what is stored.
func (d *sender) end() {
	d.mu.Lock()
	d.quit()
	anew := d.anew
	d.running, d.off, d.anew = false, false, false
	d.loaded, d.order, d.lanes, d.waiting, d.record, d.breaker = false, nil, map[string]*lane{}, 0, newRecord(), breaker{}
	d.mu.Unlock()
	if anew {
		d.wake()
	}
}

// idle ends its life if there is still nothing to do. What it has read stays known, for the
// next one.
func (d *sender) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.more:
		return false
	default:
	}
	d.running = false
	d.quit()
	return true
}
