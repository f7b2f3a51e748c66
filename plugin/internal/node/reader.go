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

// ackTime bounds the time to store an acknowledgement, also after its stream has ended.
const ackTime = 10 * time.Second

// recovery is the wait before a failed database is read again.
const recovery = 250 * time.Millisecond

// shares is how many instances can at least have a full share of a subscription's window at once.
const shares = 8

// reader reads the store's event log for one subscriber.
type reader struct {
	outbox     *outbox.Outbox
	feed       *outbox.Feed
	subscriber string
	kind       string                          // of its events
	match      func(data []byte) (bool, error) // the part of the filter that the store cannot apply
	resumed    bool
	skipped    bool // the filter left out the last event of feed
	lag        lag
	acks       acks
}

func openReader(ctx context.Context, p *process, sub sdk.Subscription, kind string, instances []string, match func([]byte) (bool, error)) (sdk.Reader, error) {
	o := p.store.Outbox
	r := &reader{
		outbox: o, subscriber: sub.Operation + "/" + sub.Subscriber, kind: kind, match: match,
		// So the reader first reports its starting position. A host that is restored to this moment
		// then has a cursor to resume from.
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
			most -= share // a host may acknowledge only once the window is full, and other instances must not wait for that
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

// Resumed is false if events after the cursor are gone.
func (r *reader) Resumed() bool { return r.resumed }

// Next waits for the next event that passes the filter. Before it waits, it reports the position
// after events that the filter left out as progress.
func (r *reader) Next(ctx context.Context) (sdk.Event, error) {
	for {
		changed := r.outbox.Changed(r.kind) // taken before the log is read, so that no event is missed in between
		if news, ok := r.lag.news(); ok {
			return news, nil
		}
		e, ok, err := r.feed.Next(ctx)
		if err != nil && (ctx.Err() != nil || !sqldb.Failed(err)) {
			return sdk.Event{}, err
		}
		if err != nil { // the stream survives a database outage, which the node's health reports
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

// Ack lets the store forget the events up to cursor, which the host has stored.
func (r *reader) Ack(_ context.Context, cursor []byte) error {
	r.feed.Acked(cursor)
	return r.acks.put(cursor)
}

// Close waits until the last acknowledgement is stored. The subscription outlives the stream, so
// that its events are kept until the host is back.
func (r *reader) Close() error { return r.acks.close() }

// acks stores a host's acknowledgements concurrently with the stream of events, which would
// otherwise stall on each of them. Acknowledgements are cumulative, so while one is being stored
// only the newest waits. If a crash loses one, its events are delivered again, with the same ids.
type acks struct {
	store func(cursor []byte) error

	mu      sync.Mutex
	next    []byte // waits to be stored; nil: none
	err     error  // of the latest attempt; put resets it
	storing sync.WaitGroup
	busy    bool
}

// put queues a cursor and returns at once, with the error of an earlier one.
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

// flush stores the waiting cursor until none is left.
func (a *acks) flush() {
	for {
		a.mu.Lock()
		cursor := a.next
		a.next, a.busy = nil, cursor != nil
		a.mu.Unlock()
		if cursor == nil {
			return
		}
		err := a.store(cursor)
		a.mu.Lock()
		a.err = err
		a.mu.Unlock()
	}
}

// close waits until everything is stored, and returns the error that put has not returned yet.
func (a *acks) close() error {
	a.storing.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}
