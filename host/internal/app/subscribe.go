package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// again is the delay before a broken subscription is reopened. Restarts of the node itself back off
// in package process.
const again = time.Second

// storeTime bounds the storing of a cursor.
const storeTime = 5 * time.Second

// flowSubscriber is the prefix of a subscriber that a flow's filter asked for; its name,
// flow/trigger, follows.
const flowSubscriber = "flow "

// subscription is one stream of one trigger, kept open while its node's process runs.
type subscription struct {
	app *App
	place
	filter []byte
	all    []string // names of all subscribers to the operation
	mark   []byte   // where it begins if no cursor of it is stored
	lag    *lag

	cursor []byte
	stop   context.CancelFunc
	done   chan struct{}
}

// trigger returns "flow/trigger" if a flow's filter asked for the subscription, and "" otherwise.
func (s *subscription) trigger() string {
	name, _ := strings.CutPrefix(s.subscriber, flowSubscriber)
	if name == s.subscriber {
		return ""
	}
	return name
}

// begin lets a subscription read until done is called, unless the app is stopping.
func (a *App) begin() (done func(), ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return nil, false
	}
	a.readers.Add(1)
	return a.readers.Done, true
}

// start reads from a process of the node until close, or until the process ends.
func (s *subscription) start(c *connection) {
	ctx, cancel := context.WithCancel(c.ctx)
	s.stop, s.done = cancel, make(chan struct{})
	go func() {
		defer close(s.done)
		defer cancel()
		s.run(ctx, c.client)
	}()
}

// close ends the stream and waits for the work in progress.
func (s *subscription) close() {
	s.stop()
	<-s.done
}

func (s *subscription) run(ctx context.Context, c *client.Client) {
	log := s.app.log.With("operation", s.operation, "subscriber", s.subscriber)
	for ctx.Err() == nil {
		err := s.goOn(ctx)
		if err == nil {
			err = s.read(ctx, c)
		}
		switch {
		case ctx.Err() != nil || err == nil:
			return
		case errors.Is(err, client.ErrSuperseded):
			log.Error("another host reads this trigger; not reading it here any more")
			return
		}
		level := slog.LevelWarn
		if lost, ok := errors.AsType[*client.TransportError](err); ok && lost.Code == codes.Unavailable {
			level = slog.LevelDebug // the node is going down, which its supervisor reports
		}
		log.Log(ctx, level, "subscription ended; opening it again", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

// goOn sets the cursor to resume from. It is the stored one, since another host may have read
// further while this host did not read. A new subscription begins where the host's unfiltered one
// was when the trigger was published.
func (s *subscription) goOn(ctx context.Context) error {
	stored, err := s.app.opt.Log.Cursor(ctx, s.id())
	switch {
	case err != nil:
		return err
	case len(stored) > 0:
		s.cursor = stored
	case len(s.cursor) == 0:
		s.cursor = s.mark
	}
	return nil
}

// read opens the stream and handles events until it ends. It returns nil if the stream ended in an
// orderly way.
func (s *subscription) read(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.lag.broken(s.place)
	var sub *client.Subscription
	told := make(chan func() error, window+1) // in the order of the stream, as landed is called
	done := newAcks(func(sequence uint64) error { return sub.Ack(sequence) })
	defer done.end()
	f := newFlight(s.cursor, cancel, func(ev sdk.Event, cursor []byte) error { return s.handle(ctx, ev, cursor) },
		func(ev sdk.Event) error {
			if err := (<-told)(); err != nil {
				return err
			}
			return s.landed(done, ev)
		})
	s.lag.reads(s.place, f)
	sub, err := c.Subscribe(ctx, client.Start{Operation: s.operation, Subscriber: s.subscriber, Filter: s.filter, Cursor: s.cursor,
		Subscribers: s.all, Window: window, Progress: func(cursor []byte) { s.passed(ctx, f, cursor) },
		CaughtUp: func() { f.mark(func() { s.lag.caughtUp(s.place) }) },
		Behind: func(subject string, behind bool) {
			if behind {
				s.lag.subject(s.place, subject, true)
				return
			}
			f.mark(func() { s.lag.subject(s.place, subject, false) })
		}})
	if err != nil {
		return err
	}
	if !sub.Ready.Resumed && len(s.cursor) > 0 {
		s.app.log.Error("events were lost: the node no longer has those after the last one read", "operation", s.operation)
	}
	for err == nil {
		var ev sdk.Event
		if ev, err = sub.Recv(); err == nil {
			told <- s.tell(ctx, ev)
			err = f.take(ev)
		}
	}
	var first error
	if s.cursor, first = f.wait(); first != nil {
		return first
	}
	s.store(context.WithoutCancel(ctx)) // the last events may have finished out of order
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// tell begins to store the outgoing events derived from an event. Only the unfiltered subscription
// of each trigger does so.
func (s *subscription) tell(ctx context.Context, ev sdk.Event) (wait func() error) {
	if s.app.opt.Tell == nil || s.subscriber != everything {
		return func() error { return nil }
	}
	return s.app.opt.Tell(ctx, ev)
}

// landed passes an event to the listener and acknowledges it, when everything before it is done.
func (s *subscription) landed(done *acks, ev sdk.Event) error {
	if s.app.opt.OnEvent != nil && s.subscriber == everything {
		s.app.opt.OnEvent(ev)
	}
	return done.put(ev.Sequence)
}

// passed stores a cursor up to which the filter lets no more events through, when every event
// before it is done. If it is lost, no harm is done: the node sends it again.
func (s *subscription) passed(ctx context.Context, f *flight, cursor []byte) {
	if _, err := f.wait(); err != nil {
		return
	}
	f.pass(cursor)
	s.cursor = cursor
	s.store(ctx)
}

// store stores the cursor to resume from.
func (s *subscription) store(ctx context.Context) {
	if len(s.cursor) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	if err := s.app.opt.Log.PutCursor(ctx, engine.Cursor{Subscription: s.id(), Value: s.cursor}); err != nil && ctx.Err() == nil {
		s.app.log.Warn("a subscription's cursor could not be stored", "operation", s.operation, "subscriber", s.subscriber, "err", err)
	}
}

// handle delivers one event to the engine, with the cursor that may be stored with it. After an
// error the event comes again later.
func (s *subscription) handle(ctx context.Context, ev sdk.Event, cursor []byte) error {
	ctx, span := s.app.traceEvent(ctx, ev)
	_, err := s.app.Engine.Deliver(ctx, engine.Event{
		ID: ev.ID, Time: ev.Time, Type: ev.Type, Data: json.RawMessage(ev.Data), Correlation: ev.Correlation, For: s.trigger(),
		Subscription: s.id(), Cursor: cursor,
	})
	span.End(err)
	return err
}
