package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/events"
)

// Want says what a reader gets.
type Want struct {
	events.Filter
	Shape Shape
	// Masked leaves out what customers said; see [events.Event.Masked].
	Masked bool
	// After is the position after which to read; nil is the newest, so that only events still to
	// come are read.
	After *uint64
	// Opened sends the reader a first event that says from where it reads.
	Opened bool
	// Passes says whether an event passes, by its type and, if the shape is the seed's, by its name
	// there; nil: all that the filter wants.
	Passes func(kind, name string) bool
}

// Frame is an event as a reader gets it, with the sequence from which the reader continues after
// it.
type Frame struct {
	Sequence string
	Body     []byte
}

// Reader reads the events of an outbox in order. It is for one goroutine. The caller closes it.
type Reader struct {
	tail  *Tail
	want  Want
	at    uint64
	turn  int     // how many events it reads from the store at a time
	first []Frame // to be returned before anything else
	began bool    // it has moved on from where it began
}

// errSlow ends a reader whose next events were removed before it read them.
var errSlow = errors.New("too slow: events were removed before they were read")

// Open returns a Reader. It reads what is put into the outbox after Open returns.
func (t *Tail) Open(ctx context.Context, w Want) (*Reader, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	r, err := t.begin(ctx, w)
	if err == nil {
		t.join(1, w.Runs())
	}
	return r, err
}

// begin makes a reader at the position where it starts.
func (t *Tail) begin(ctx context.Context, w Want) (*Reader, error) {
	if w.Runs() {
		if err := t.from.KeepRuns(ctx); err != nil {
			return nil, err
		}
	}
	newest, err := t.from.Newest(ctx)
	if err != nil {
		return nil, err
	}
	r := &Reader{tail: t, want: w, at: newest, turn: turnPage}
	if w.After != nil {
		r.at = *w.After
	}
	after := r.at
	r.at = min(after, newest)
	if w.Opened {
		r.say(opened(r.at))
	}
	if after > newest {
		r.say(gap(after, newest, "unknown"))
	}
	return r, nil
}

// Close frees the memory that no other reader needs.
func (r *Reader) Close() { r.tail.join(-1, r.want.Runs()) }

func (t *Tail) join(n int, runs bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.readers += n
	if runs {
		t.ofRuns += n
	}
	if n > 0 {
		select {
		case t.came <- struct{}{}:
		default: // a token is there already
		}
	}
}

// Next waits for the next events. The error is for [Farewell].
func (r *Reader) Next(ctx context.Context) ([]Frame, error) {
	for {
		if frames := r.first; len(frames) > 0 {
			r.first = nil
			return frames, nil
		}
		found, next, gone, grown, err := r.tail.after(ctx, r.at, r.want.Filter, r.turn)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			r.tail.log.Warn("the outbox cannot be read", "err", err)
			return nil, errUnread
		}
		if gone > 0 && r.at > 0 { // 0 is the oldest that is kept
			if r.began {
				return nil, errSlow
			}
			r.say(gap(r.at, gone, "removed"))
			r.at = gone
			continue
		}
		r.began = r.began || next != r.at
		moved := next != r.at
		r.at = next
		r.turn = min(turnPage, 2*r.turn)
		if size(found) >= turnBytes { // after large events it reads no more than it could return
			r.turn = len(found)
		}
		if frames := r.frames(found); len(frames) > 0 {
			return frames, nil
		}
		if moved {
			continue
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func size(found []*item) (bytes int) {
	for _, it := range found {
		bytes += len(it.Data)
	}
	return bytes
}

func (r *Reader) frames(found []*item) []Frame {
	var out []Frame
	for _, it := range found {
		told := it.as(r.want)
		if r.want.Passes != nil && !r.want.Passes(it.Type, told.name) {
			continue
		}
		out = append(out, Frame{events.Sequence(it.Position), told.body})
	}
	return out
}

func (r *Reader) say(ev events.Event) {
	it := &item{Event: ev}
	r.first = append(r.first, Frame{events.Sequence(ev.Position), it.as(r.want).body})
}

// gap is the event that says which events may be missing, and opened the event that says where a
// reader begins.
func gap(after, until uint64, reason string) events.Event {
	return own(events.TypeGap, until, map[string]string{"after": events.Sequence(after), "until": events.Sequence(until), "reason": reason})
}

func opened(after uint64) events.Event {
	return own(events.TypeOpened, after, map[string]string{"after": events.Sequence(after)})
}

func own(kind string, at uint64, data map[string]string) events.Event {
	raw, err := json.Marshal(data)
	if err != nil {
		raw = nil // unreachable: texts can always be encoded
	}
	return events.Event{Position: at, Outgoing: engine.Outgoing{ID: kind + "-" + events.Sequence(at), Type: kind, Time: time.Now(), Data: raw}}
}

// ParseSequence parses the sequence of the last event that a reader says it has; 0 means none.
func ParseSequence(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || len(text) > 19 {
		return 0, fmt.Errorf("%.30q is not the sequence of an event; 0 begins with the oldest that is kept", text)
	}
	return n, nil
}

// Page reads the events there are, at most limit, and does not wait for more. It may stop earlier,
// so that one request is not too much work.
func (t *Tail) Page(ctx context.Context, w Want, limit int) (frames []Frame, next string, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	if w.After == nil {
		w.After = new(uint64)
	}
	w.Opened = false
	r, err := t.begin(ctx, w)
	if err != nil {
		return nil, "", false, err
	}
	bytes := 0
	for range pageReads {
		page, err := t.from.Read(ctx, r.at, w.Filter, fillPage)
		if err != nil {
			return nil, "", false, err
		}
		if page.Gone > 0 && r.at > 0 {
			r.say(gap(r.at, page.Gone, "removed"))
			r.at = page.Gone
		}
		frames = append(frames, r.first...)
		r.first = nil
		for _, ev := range page.Events {
			if len(frames) >= limit || bytes >= pageBytes {
				return frames, events.Sequence(r.at), true, nil
			}
			r.at = ev.Position
			for _, f := range r.frames([]*item{{Event: ev}}) {
				frames = append(frames, f)
				bytes += len(f.Body)
			}
		}
		r.at = max(r.at, page.Next)
		if more = page.More; !more || len(frames) >= limit || bytes >= pageBytes {
			break
		}
	}
	return frames, events.Sequence(r.at), more, nil
}
