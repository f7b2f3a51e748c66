package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/sdk"

	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

// ackTime is how long an acknowledgement may take to store, also after its stream ended.
const ackTime = 10 * time.Second

// recovery is how long a database that failed is left alone.
const recovery = 250 * time.Millisecond

// shares is how many instances have a share of a subscription's window at least.
const shares = 8

// reader reads the store's event log for one subscriber.
type reader struct {
	outbox     *outbox.Outbox
	feed       *outbox.Feed
	subscriber string
	kind       string                          // of its events
	match      func(data []byte) (bool, error) // what the store's filter cannot say
	resumed    bool
	skipped    bool // the filter left out the last event of feed
	lag        lag
	acks       acks
}

func openReader(ctx context.Context, p *process, sub sdk.Subscription, kind string, instances []string, match func([]byte) (bool, error)) (sdk.Reader, error) {
	o := p.store.Outbox
	r := &reader{
		outbox: o, subscriber: sub.Operation + "/" + sub.Subscriber, kind: kind, match: match,
		// The first word is where that begins: a host that is restored to this moment has a
		// cursor then, and goes on from it.
		skipped: true,
	}
	filter := outbox.Filter{Types: []string{kind}, Instances: instances}
	if len(sub.Subscribers) > 0 {
		var keep []string
		for _, name := range sub.Subscribers {
			keep = append(keep, sub.Operation+"/"+name)
		}
		if err := o.Only(ctx, sub.Operation+"/", keep); err != nil {
			return nil, problem.Storage(err)
		}
	}
	from, resumed, err := o.Subscribe(ctx, r.subscriber, filter, sub.Cursor)
	if err == nil {
		r.resumed = resumed
		share, most := sub.Window/shares, sub.Window
		if sub.BySubject {
			most -= share // others may wait for a window that is full before they acknowledge
		}
		r.feed, err = o.Feed(from, filter, share, most)
		r.lag = lag{pool: p.pool.Away, only: instances, bySubject: sub.BySubject, feed: r.feed, said: map[string]int{}}
	}
	if errors.Is(err, outbox.ErrCursor) {
		return nil, sdk.Invalid(sdk.Violation{Pointer: "/cursor", Code: "cursor", Message: err.Error()})
	}
	if err != nil {
		return nil, problem.Storage(err)
	}
	r.acks.store = func(cursor []byte) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTime)
		defer cancel()
		return o.Ack(ctx, r.subscriber, cursor)
	}
	return r, nil
}

// Resumed is false when events after the cursor are gone.
func (r *reader) Resumed() bool { return r.resumed }

// Next waits for the next event that passes the filter. Before it waits it gives what the
// filter left out as progress.
func (r *reader) Next(ctx context.Context) (sdk.Event, error) {
	for {
		changed := r.outbox.Changed(r.kind) // before the log is read: nothing is missed in between
		if news, ok := r.lag.news(); ok {
			return news, nil
		}
		e, ok, err := r.feed.Next(ctx)
		if err != nil && (ctx.Err() != nil || !sqldb.Failed(err)) {
			return sdk.Event{}, err
		}
		if err != nil { // the stream outlives an outage of the database, which is in the node's health
			select {
			case <-time.After(recovery):
				continue
			case <-ctx.Done():
				return sdk.Event{}, ctx.Err()
			}
		}
		if ok {
			pass, err := r.match(e.Data)
			if err != nil {
				return sdk.Event{}, err
			}
			if r.skipped = !pass; pass {
				return sdk.Event{
					ID: e.ID, Type: e.Type, Subject: e.Subject, Time: e.Time,
					Data: e.Data, Cursor: e.Cursor, Correlation: e.Correlation, Traceparent: e.Traceparent,
				}, nil
			}
			r.feed.Drop()
			continue
		}
		if r.skipped {
			r.skipped = false
			return sdk.Event{Cursor: r.feed.Cursor()}, nil
		}
		if r.lag.waits() {
			continue
		}
		select {
		case <-changed:
		case <-r.feed.Room():
		case <-r.lag.moved:
		case <-ctx.Done():
			return sdk.Event{}, ctx.Err()
		}
	}
}

// Ack lets the store forget what the host has stored.
func (r *reader) Ack(_ context.Context, cursor []byte) error {
	r.feed.Acked(cursor)
	return r.acks.put(cursor)
}

// Close stores the last acknowledgement. The subscription outlives the stream, so
// that its events are kept until the host is back.
func (r *reader) Close() error { return r.acks.close() }

// acks stores a host's acknowledgements beside the stream of events, which would
// otherwise stand still for every one of them. They are cumulative, so while one is
// being stored only the newest waits. One that a crash takes brings its events
// again, with the same ids.
type acks struct {
	store func(cursor []byte) error

	mu      sync.Mutex
	next    []byte // to be stored; nil: none
	err     error  // of the last one stored
	storing sync.WaitGroup
	busy    bool
}

// put takes a cursor and returns at once, with the error of an earlier one.
func (a *acks) put(cursor []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next = cursor
	if !a.busy {
		a.busy = true
		a.storing.Go(a.flush)
	}
	err := a.err
	a.err = nil
	return err
}

// flush stores what is waiting, until nothing is.
func (a *acks) flush() {
	for {
		a.mu.Lock()
		cursor := a.next
		a.next, a.busy = nil, cursor != nil
		a.mu.Unlock()
		if cursor == nil {
			return
		}
		if err := a.store(cursor); err != nil {
			a.mu.Lock()
			a.err = err
			a.mu.Unlock()
		}
	}
}

// close waits until everything is stored, and returns the error of the last.
func (a *acks) close() error {
	a.storing.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}
