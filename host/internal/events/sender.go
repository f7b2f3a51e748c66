package events

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
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
	d.settle()
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

// settle waits for the attempts that are under way and stores what became of them.
func (d *sender) settle() {
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

// load reads where it was, and what waits.
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

// take takes events from the outbox, as many as the window lets in. While the receiver answers
// nothing, only those that are too old are taken.
func (d *sender) take(ctx context.Context) (look, error) {
	d.mu.Lock()
	now, room, after, hook := d.s.opt.Now(), window-len(d.order), d.taken, d.hook
	open := !d.breaker.closed()
	if open && now.Sub(d.expired) < firstOpen {
		room = 0
	}
	d.expired = now
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
		if open && !old { // it waits in the outbox
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

// accept puts an event into its lane.
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

// shelve makes an item wait in the database.
func (d *sender) shelve(name string, i *item, at time.Time) {
	if !i.row {
		d.waiting++
	}
	i.row, i.settled, i.event = true, true, nil
	d.record.wait(queued{position: i.position, lane: name, attempt: i.attempt, at: at})
}

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

// commit stores what became of events, with the position up to which all is said.
func (d *sender) commit(ctx context.Context, last bool) error {
	d.mu.Lock()
	settled := slices.IndexFunc(d.order, func(i *item) bool { return !i.settled })
	switch {
	case settled < 0:
		d.order, d.mark = nil, d.taken
	default:
		d.order = d.order[settled:]
		d.mark = d.order[0].position - 1
	}
	r, mark := d.record, d.mark
	if r.empty() && (mark == d.stored || mark-d.stored < moved && !last) {
		d.mu.Unlock()
		return nil
	}
	d.record = newRecord()
	d.mu.Unlock()
	err := d.s.keep(ctx, d.id, mark, r)
	if err == nil && r.gone {
		d.s.announce()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		r.join(d.record)
		d.record = r
		return err
	}
	d.stored = mark
	return nil
}

// join adds what became of events later.
func (r *record) join(later *record) {
	r.attempts = append(r.attempts, later.attempts...)
	r.dead = append(r.dead, later.dead...)
	r.lost += later.lost
	r.gone = r.gone || later.gone
	for _, q := range later.waits {
		r.wait(q)
	}
	for position := range later.done {
		r.drop(position)
	}
}
