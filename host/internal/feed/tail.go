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
	// fillPage is how many events are read at a time for all readers, turnPage for one of them, but no
	// more once they are turnBytes: he has them in memory for as long as he likes.
	fillPage  = 256
	turnPage  = 32
	turnBytes = 64 << 10
	// pageReads is how often the store is read for one page, whose events may be rare, and pageBytes how large
	// it gets, but for its last event.
	pageReads = 40
	pageBytes = 4 << 20
	// readTime bounds a reading of the store.
	readTime = 15 * time.Second
	// again is how long nobody reads a store that cannot be read.
	again = time.Second
)

// Tail has the newest events of an outbox in memory while somebody reads. Start it once, and Stop it.
type Tail struct {
	from *events.Service
	log  *slog.Logger

	life sync.Mutex
	stop context.CancelFunc // nil before Start
	done chan struct{}

	mu          sync.Mutex
	live        bool // first and last are positions
	first, last uint64
	recent      []*item // all events after first, up to last
	bytes       int
	grown       chan struct{} // closed when there is something new
	readers     int
	ofRuns      int           // readers that want events of runs
	came        chan struct{} // holds one token when the first reader has come
}

// item is an event with what readers get of it, which is made once.
type item struct {
	events.Event
	told [2][2]told // by shape, in clear and masked
}

type told struct {
	once sync.Once
	body []byte
	name string // in the seed's form, if that is the shape
}

// NewTail is ready for readers, who get nothing yet.
func NewTail(from *events.Service, log *slog.Logger) *Tail {
	return &Tail{from: from, log: log, grown: make(chan struct{}), came: make(chan struct{}, 1)}
}

// Start reads while somebody wants it, until Stop.
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

// Stop ends it. Readers are not ended by it; see [Places].
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
		told := t.from.Told() // before reading: what comes meanwhile wakes
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
	if readers == 0 { // whoever comes next begins with what comes then
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

// add keeps a page that follows what is kept. Behind a gap it begins anew: who is before it reads
// the store and finds it there.
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
	t.recent = append([]*item(nil), t.recent[drop:]...) // what was dropped must not be held
	close(t.grown)
	t.grown = make(chan struct{})
}

// after gives some events that follow a position, from memory or, when they are not there, from the
// store, of which it reads at most turn at a time. grown is closed when there is more than now.
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
