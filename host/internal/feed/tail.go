package feed

import (
	"context"
	"encoding/json"
	"log/slog"
	"sort"
	"sync"
	"time"

	"github.com/tapnode/tapnode/host/internal/events"
)

const (
	// keptEvents and keptBytes bound what is in memory for all readers.
	keptEvents = 1024
	keptBytes  = 8 << 20
	// fillPage is how many events are read at a time for all readers, and turnPage for one of them.
	// A reader takes no more once it has turnBytes, because it may keep them in memory for as long
	// as it likes.
	fillPage  = 256
	turnPage  = 32
	turnBytes = 64 << 10
	// pageReads is how often the store is read for one page, because the events of a page may be
	// rare. pageBytes is how large a page gets, apart from its last event.
	pageReads = 40
	pageBytes = 4 << 20
	// readTime bounds one read of the store.
	readTime = 15 * time.Second
	// again is the pause after the store could not be read.
	again = time.Second
)

// Tail keeps the newest events of an outbox in memory while there are readers. Start it once, and
// Stop it.
type Tail struct {
	from *events.Service
	log  *slog.Logger

	life sync.Mutex
	stop context.CancelFunc // nil before Start
	done chan struct{}

	mu          sync.Mutex
	live        bool // first and last are set
	first, last uint64
	recent      []*item // all events after first, up to last
	bytes       int
	grown       chan struct{} // closed when there is something new
	readers     int
	ofRuns      int           // readers that want events of runs
	came        chan struct{} // holds one token when the first reader has come
}

// item is an event with the forms in which readers get it, each of which is made once.
type item struct {
	events.Event
	told [2][2]told // by shape; unmasked and masked
}

type told struct {
	once sync.Once
	body []byte
	name string // in the seed's form, if that is the shape
}

// NewTail returns a Tail that accepts readers, who get nothing before Start.
func NewTail(from *events.Service, log *slog.Logger) *Tail {
	return &Tail{from: from, log: log, grown: make(chan struct{}), came: make(chan struct{}, 1)}
}

// Start reads the outbox while there are readers, until Stop.
func (t *Tail) Start() {
	t.life.Lock()
	defer t.life.Unlock()
	if t.stop != nil {
		return
	}
	var ctx context.Context
	ctx, t.stop = context.WithCancel(context.Background())
	t.done = make(chan struct{})
	go func() {
		defer close(t.done)
		t.run(ctx)
	}()
}

// Stop ends what Start began. It does not end readers; see [Places].
func (t *Tail) Stop() {
	t.life.Lock()
	defer t.life.Unlock()
	if t.stop != nil {
		t.stop()
		<-t.done
	}
}

func (t *Tail) run(ctx context.Context) {
	for ctx.Err() == nil {
		told := t.from.Told() // before reading, so that an event that comes meanwhile ends the wait below
		wait := t.from.LookEvery()
		more, err := t.fill(ctx)
		if err != nil && ctx.Err() == nil {
			t.log.Warn("the outbox cannot be read for sockets and streams now; trying again", "err", err)
			told, wait = nil, again
		}
		if more {
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-t.came:
		case <-told:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// fill reads what is new; more says that there may be more of it.
func (t *Tail) fill(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	t.mu.Lock()
	live, last, readers, ofRuns := t.live, t.last, t.readers, t.ofRuns
	if readers == 0 { // the next reader begins with what comes then
		t.live, t.recent, t.bytes = false, nil, 0
	}
	t.mu.Unlock()
	if readers == 0 {
		return false, nil
	}
	if ofRuns > 0 {
		if err := t.from.KeepRuns(ctx); err != nil {
			return false, err
		}
	}
	if !live {
		newest, err := t.from.Newest(ctx)
		if err == nil {
			t.add(events.Page{Next: newest, Gone: newest})
		}
		return err == nil, err
	}
	page, err := t.from.Read(ctx, last, events.Filter{}, fillPage)
	if err != nil || page.Next == last && page.Gone == 0 {
		return false, err
	}
	t.add(page)
	return true, nil
}

// add appends a page to what is kept. After a gap it starts again: a reader at an earlier position
// reads the store and finds the gap there.
func (t *Tail) add(page events.Page) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if page.Gone > 0 {
		t.first, t.recent, t.bytes = page.Gone, nil, 0
	}
	t.live, t.last = true, max(page.Next, page.Gone)
	for _, ev := range page.Events {
		t.recent = append(t.recent, &item{Event: ev})
		t.bytes += len(ev.Data)
	}
	drop := 0
	for ; len(t.recent)-drop > keptEvents || t.bytes > keptBytes && drop < len(t.recent); drop++ {
		t.first = t.recent[drop].Position
		t.bytes -= len(t.recent[drop].Data)
	}
	t.recent = append([]*item(nil), t.recent[drop:]...) // a copy, so that the memory of what was dropped is freed
	close(t.grown)
	t.grown = make(chan struct{})
}

// after returns some events that follow a position: from memory or, when they are not there, at
// most turn of them from the store. grown is closed when there are more than now.
func (t *Tail) after(ctx context.Context, position uint64, f events.Filter, turn int) (found []*item, next, gone uint64, grown <-chan struct{}, err error) {
	t.mu.Lock()
	next, grown = position, t.grown
	if !t.live {
		t.mu.Unlock()
		return nil, next, 0, grown, nil
	}
	if position >= t.first {
		bytes := 0
		from := sort.Search(len(t.recent), func(i int) bool { return t.recent[i].Position > position })
		for _, it := range t.recent[from:] {
			if len(found) == turnPage || bytes >= turnBytes {
				break
			}
			if next = it.Position; f.Wants(it.Event) {
				found = append(found, it)
				bytes += len(it.Data)
			}
		}
		t.mu.Unlock()
		return found, next, 0, grown, nil
	}
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	page, err := t.from.Read(ctx, position, f, turn)
	bytes := 0
	for _, ev := range page.Events {
		if bytes >= turnBytes {
			return found, found[len(found)-1].Position, page.Gone, grown, err
		}
		found = append(found, &item{Event: ev})
		bytes += len(ev.Data)
	}
	return found, page.Next, page.Gone, grown, err
}

// Shape is the form of the events that a reader gets.
type Shape int

// The shapes.
const (
	CloudEvents Shape = iota // CloudEvents 1.0
	Seed                     // the seed's
)

// as is the event as a reader gets it.
func (it *item) as(w Want) *told {
	form := &it.told[w.Shape]
	t := &form[0]
	if w.Masked {
		t = &form[1]
	}
	t.once.Do(func() {
		ev := it.Event
		if w.Masked {
			ev = ev.Masked()
		}
		var form any
		if w.Shape == Seed {
			seed := events.InSeed(ev)
			t.name, form = seed.Event, seed
		} else {
			cloud := events.InCloudEvents(ev)
			if cloud.Source == "" {
				cloud.Source = "/events"
			}
			form = cloud
		}
		raw, err := json.Marshal(form)
		if err != nil {
			raw = []byte(`{}`) // unreachable: data was JSON when it was stored
		}
		t.body = raw
	})
	return t
}
