package events

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"
)

const (
	// window is how many events of a webhook may be in memory and not settled; at most as many are
	// delivered again after a crash.
	window = 1024
	// turn is how many events of a lane a worker delivers before another lane gets its slot.
	turn = 16
	// maxWaiting is how many events of a webhook may wait behind failed ones.
	maxWaiting = 10_000
	// moved is how far the position may advance before it is stored, if there is nothing else to
	// store.
	moved = 1000
	// failedCommit is how long a sender waits after a database error.
	failedCommit = time.Second
)

// sender delivers to one webhook: the events of a lane in order, the lanes concurrently. One
// goroutine takes events from the outbox, starts workers for the lanes that are due, and stores the
// outcomes. It ends when there is nothing to do, and wake starts a new one: each is a life of the
// sender.
type sender struct {
	s  *Service
	id string // of the webhook

	mu      sync.Mutex
	hook    *Webhook // the current settings
	running bool
	removed bool               // the webhook was removed: no new life may begin
	quit    context.CancelFunc // ends the present life
	off     bool               // the present life was ended because the webhook was disabled
	anew    bool               // the webhook was enabled again before that life had ended

	more    chan struct{} // holds one token: there may be something to do
	loaded  bool
	taken   uint64  // the position up to which events were taken
	order   []*item // events that were taken, oldest first, from the oldest that was not settled at the last commit
	mark    uint64  // every event up to this position is settled
	stored  uint64  // the mark in the database
	lanes   map[string]*lane
	waiting int             // items with a row in the queue table
	ahead   map[uint64]bool // positions of rows behind taken: an earlier life had taken those events
	busy    int             // number of workers
	breaker breaker
	record  *record
	expired time.Time // when take last looked for expired events while the breaker was open
}

// item is an event to be delivered. It is settled when it has been delivered, or when the record
// for the next commit has a row or a dead letter of it.
type item struct {
	position uint64
	stored   time.Time
	event    *Event // nil: read it from the outbox
	attempt  int    // number of attempts made
	row      bool   // it has a row in the queue table
	settled  bool
}

// lane is a queue of events that are delivered one after the other.
type lane struct {
	queue []*item
	at    time.Time // the first event is not tried before
	busy  bool
}

func newSender(s *Service, w *Webhook) *sender {
	return &sender{s: s, id: w.ID, hook: w, more: make(chan struct{}, 1), taken: w.position, mark: w.position, stored: w.position,
		lanes: map[string]*lane{}, record: newRecord()}
}

// wake makes the sender look for events, and starts it if it does not run.
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

// configure applies changed settings of the webhook.
func (d *sender) configure(w *Webhook) {
	d.mu.Lock()
	running, quit := d.running, d.quit
	if !running && w.Enabled != d.hook.Enabled {
		d.loaded = false // enabling a webhook changes its position
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

// remove ends the sender for good.
func (d *sender) remove() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removed = true
	if d.running {
		d.quit()
	}
}

// floor is the position up to which the sender needs no event of the outbox any more; the maximum
// if it is idle.
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

// pass takes events, starts workers for the lanes that are due, and stores the outcomes so far.
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

// look says how far a sender got in the outbox.
type look int

const (
	seenNot  look = iota // it could not take events now
	seenSome             // there may be more
	seenAll
)

// rest waits for a signal, at most for wait.
func (d *sender) rest(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-d.more:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// drain waits for the attempts in progress and stores their outcomes.
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

// end discards the state in memory; the next life loads it from the database.
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

// idle ends the present life if there is still nothing to do. It keeps the state in memory for the
// next life.
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
