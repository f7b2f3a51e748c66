package node

import (
	"context"
	"errors"

	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/sdk"
)

// batch is how many events are read from the store at once.
const batch = 100

// reader reads the store's event log for one subscriber.
type reader struct {
	store      *store.Store
	subscriber string
	filter     store.Filter
	match      func(data []byte) (bool, error) // what the store's filter cannot say
	cursor     []byte
	resumed    bool
	ahead      []store.Event // read and not yet given
	acks       acks
}

func openReader(ctx context.Context, s *store.Store, sub sdk.Subscription, kind string, instances []string, match func([]byte) (bool, error)) (sdk.Reader, error) {
	r := &reader{
		store: s, subscriber: sub.Operation + "/" + sub.Subscriber, match: match,
		filter: store.Filter{Types: []string{kind}, Instances: instances},
	}
	var err error
	r.cursor, r.resumed, err = s.Subscribe(ctx, r.subscriber, r.filter, sub.Cursor)
	if errors.Is(err, store.ErrCursor) {
		return nil, sdk.Invalid(sdk.Violation{Pointer: "/cursor", Code: "cursor", Message: err.Error()})
	}
	if err != nil {
		return nil, storeProblem(err)
	}
	r.acks.store = func(cursor []byte) error {
		ctx, cancel := after(ctx)
		defer cancel()
		return s.Ack(ctx, r.subscriber, cursor)
	}
	return r, nil
}

// Resumed is false when events after the cursor are gone.
func (r *reader) Resumed() bool { return r.resumed }

// Next waits for the next event that passes the filter.
func (r *reader) Next(ctx context.Context) (sdk.Event, error) {
	for {
		for len(r.ahead) > 0 {
			e := r.ahead[0]
			r.ahead, r.cursor = r.ahead[1:], e.Cursor
			pass, err := r.match(e.Data)
			if err != nil {
				return sdk.Event{}, err
			}
			if pass {
				return sdk.Event{
					ID: e.ID, Type: e.Type, Subject: e.Subject, Time: e.Time,
					Data: e.Data, Cursor: e.Cursor, Correlation: e.Correlation,
				}, nil
			}
		}
		if err := r.fill(ctx); err != nil {
			return sdk.Event{}, err
		}
	}
}

// fill waits until the store has events after the cursor and reads some.
func (r *reader) fill(ctx context.Context) error {
	for {
		changed := r.store.Changed(r.filter.Types[0]) // before Read: nothing is missed in between
		var err error
		if r.ahead, err = r.store.Read(ctx, r.cursor, r.filter, batch); err != nil || len(r.ahead) > 0 {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Ack lets the store forget what the host has stored.
func (r *reader) Ack(_ context.Context, cursor []byte) error { return r.acks.put(cursor) }

// Close stores the last acknowledgement. The subscription outlives the stream, so
// that its events are kept until the host is back.
func (r *reader) Close() error { return r.acks.close() }
