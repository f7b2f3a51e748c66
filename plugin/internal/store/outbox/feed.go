package outbox

import (
	"bytes"
	"context"
	"slices"
	"sync"
)

const (
	// maxAside is how many instances can be put aside at a time, which bounds the size of a cursor.
	// At the limit the scan waits when another instance has its share.
	maxAside = 64
	// batch is how many events the scan reads from the database at once; lot is the same for an
	// instance that was put aside.
	batch = 100
	lot   = 16
)

// Feed gives one subscriber the events of the log so that an instance with many events does not
// hold up the others. An instance that has its share of events on the way is put aside: the scan of
// the log continues without it, and its events are given in turn with those of the scan. Instances
// that were put aside may leave part of the window free, so that the next events of other instances
// need not wait for an acknowledgement. Events of one instance keep their order, and the cursor of
// each says what was given of every instance.
//
// Only one goroutine may call its methods, except Acked.
type Feed struct {
	o      *Outbox
	filter Filter
	share  int // limit of events given and not acknowledged, for each instance
	most   int // limit of all of them, while the next event is of an instance that was put aside

	seq     int64   // of the scan
	ahead   []entry // after seq, read and not given
	reads   int     // of the scan
	through int     // everything that was stored before this read began was given, or put aside
	end     bool    // the last read came to the end of the log
	aside   []*lane
	turn    int  // which lane is next
	scan    bool // the last turn was the scan's

	room chan struct{} // has a token when something was acknowledged

	mu    sync.Mutex
	open  map[string]int // given and not acknowledged, by instance
	given []Event        // the same, in order: only Instance and Cursor
}

// lane is an instance that was put aside.
type lane struct {
	place
	ahead []entry // after place, read and not given
	more  bool    // ahead does not hold everything up to the scan
}

// Feed continues from a cursor that [Outbox.Subscribe] returned. An instance is put aside when
// share of its events are given and not acknowledged; instances that were put aside get nothing
// while most events in all are.
func (o *Outbox) Feed(cursor []byte, f Filter, share, most int) (*Feed, error) {
	p, _, err := o.position(cursor)
	if err != nil {
		return nil, err
	}
	feed := &Feed{o: o, filter: f, share: max(share, 1), most: max(most, 1), seq: p.seq, room: make(chan struct{}, 1), open: map[string]int{}}
	for _, a := range p.aside {
		feed.aside = append(feed.aside, &lane{place: a, more: true})
	}
	return feed, nil
}

// Cursor returns the position of what was given.
func (f *Feed) Cursor() []byte {
	p := position{seq: f.seq}
	for _, l := range f.aside {
		p.aside = append(p.aside, l.place)
	}
	return f.o.cursor(p)
}

// Aside lists the instances that were put aside.
func (f *Feed) Aside() (names []string) {
	for _, l := range f.aside {
		names = append(names, l.instance)
	}
	return names
}

// Reads counts the reads that the scan has begun. Through is the last of these reads of which
// everything that was stored before it has been given, except for the instances that are aside.
func (f *Feed) Reads() int { return f.reads }

// Through is explained at Reads.
func (f *Feed) Through() int { return f.through }

// Room has a token when Next may have an event that had to wait for an acknowledgement.
func (f *Feed) Room() <-chan struct{} { return f.room }

// Next returns the next event; ok is false if there is none, or none before something is
// acknowledged. The event counts as on its way until Acked or Drop. After an error Next can be
// called again: nothing was given or left out.
func (f *Feed) Next(ctx context.Context) (e Event, ok bool, err error) {
	var next entry
	for scanned := false; !ok; {
		if f.scan = !f.scan; f.scan || len(f.aside) == 0 {
			next, ok, err = f.fromScan(ctx)
			scanned = true
		} else {
			next, ok, err = f.fromAside(ctx)
		}
		if err != nil || !ok && scanned && (len(f.ahead) == 0 && len(f.aside) == 0 || f.reserved()) {
			return e, false, err
		}
	}
	e = next.Event
	e.Cursor = f.Cursor()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open[e.Instance]++
	f.given = append(f.given, Event{Instance: e.Instance, Cursor: e.Cursor})
	return e, true, nil
}

// fromScan continues in the log, and puts aside the instances that have their share.
func (f *Feed) fromScan(ctx context.Context) (e entry, ok bool, err error) {
	for {
		if len(f.ahead) == 0 {
			if f.end {
				f.through = f.reads
			}
			f.reads++
			var known bool
			if f.ahead, known = f.o.tail.behind(f.seq, f.filter); len(f.ahead) > 0 {
				f.end = false
				continue
			}
			if f.end = known && f.o.alone; f.end {
				f.through = f.reads
				return e, false, nil
			}
			if f.ahead, err = f.o.read(ctx, f.seq, 0, f.filter, batch); err != nil {
				f.ahead, f.end = nil, false // nothing is known of what was stored before this read
				return e, false, err
			}
			if f.end = len(f.ahead) < batch; len(f.ahead) == 0 {
				f.through = f.reads
				return e, false, nil
			}
		}
		e = f.ahead[0]
		i := slices.IndexFunc(f.aside, func(l *lane) bool { return l.instance == e.Instance })
		if i < 0 && f.onTheWay(e.Instance) >= f.share {
			if len(f.aside) == maxAside {
				return e, false, nil
			}
			i = len(f.aside)
			f.aside = append(f.aside, &lane{place: place{e.Instance, f.seq}})
		}
		f.ahead, f.seq = f.ahead[1:], e.seq
		if i < 0 {
			return e, true, nil
		}
		if l := f.aside[i]; !l.more && len(l.ahead) < lot {
			l.ahead = append(l.ahead, e)
		} else {
			l.more = true // read from the database at the lane's turn
		}
	}
}

// fromAside gives an event of an instance that was put aside, and moves on to the next such
// instance.
func (f *Feed) fromAside(ctx context.Context) (e entry, ok bool, err error) {
	for len(f.aside) > 0 {
		f.turn %= len(f.aside)
		l := f.aside[f.turn]
		if len(l.ahead) == 0 && l.more {
			one := Filter{Types: f.filter.Types, Instances: []string{l.instance}}
			if l.ahead, err = f.o.read(ctx, l.seq, f.seq, one, lot); err != nil {
				l.ahead = nil
				return e, false, err
			}
			l.more = len(l.ahead) == lot
		}
		if len(l.ahead) == 0 { // caught up: the scan serves the instance again
			f.aside = slices.Delete(f.aside, f.turn, f.turn+1)
			continue
		}
		if f.reserved() {
			return e, false, nil
		}
		e = l.ahead[0]
		l.ahead, l.seq = l.ahead[1:], e.seq
		f.turn++
		return e, true, nil
	}
	return e, false, nil
}

// reserved reports whether the rest of the window is for instances that were not put aside.
func (f *Feed) reserved() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.given) >= f.most
}

func (f *Feed) onTheWay(instance string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open[instance]
}

// Drop discards the event that Next gave last: nobody will acknowledge it.
func (f *Feed) Drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := len(f.given) - 1
	f.close(f.given[last])
	f.given = f.given[:last]
}

// Acked records that all events up to the one with a cursor have arrived. Another cursor, such as
// that of progress, frees nothing.
func (f *Feed) Acked(cursor []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 1 + slices.IndexFunc(f.given, func(e Event) bool { return bytes.Equal(e.Cursor, cursor) })
	for _, e := range f.given[:n] {
		f.close(e)
	}
	f.given = slices.Delete(f.given, 0, n)
	select {
	case f.room <- struct{}{}:
	default:
	}
}

// close records that an event is no longer on its way.
func (f *Feed) close(e Event) {
	if f.open[e.Instance]--; f.open[e.Instance] == 0 {
		delete(f.open, e.Instance)
	}
}
