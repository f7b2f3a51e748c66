package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// again is how long a broken subscription rests before it is opened anew; the
// node's own restarts have their backoff in package process.
const again = time.Second

// subscription is one stream of one trigger, kept open while its node runs.
type subscription struct {
	app        *App
	operation  string
	subscriber string
	filter     []byte
	trigger    string   // "flow/trigger" when a flow's filter asked for it
	all        []string // names of all subscribers to the operation

	one    sync.Mutex // held by the process that is read: a next one waits
	cursor []byte
}

// subscriptions are one without a filter for every trigger of the node, and one
// for every flow trigger that has a filter.
func (a *App) subscriptions(n *node) []*subscription {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []*subscription
	for _, op := range n.manifest.Operations {
		if op.Kind != sdk.KindTrigger {
			continue
		}
		first := len(out)
		out = append(out, &subscription{app: a, operation: op.ID, subscriber: "host"})
		for _, p := range a.programs {
			f := p.Flow()
			for _, t := range f.Triggers {
				if t.Type != op.ID || len(t.With) == 0 {
					continue
				}
				filter, err := json.Marshal(t.With)
				if err != nil {
					a.log.Error("trigger filter is not JSON", "flow", f.Metadata.ID, "trigger", t.ID, "err", err)
					continue
				}
				name := f.Metadata.ID + "/" + t.ID
				out = append(out, &subscription{app: a, operation: op.ID, subscriber: "flow " + name, filter: filter, trigger: name})
			}
		}
		var all []string
		for _, s := range out[first:] {
			all = append(all, s.subscriber)
		}
		for _, s := range out[first:] {
			s.all = all
		}
	}
	return out
}

// begin lets a subscription read until done is called, unless the app stops.
func (a *App) begin() (done func(), ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return nil, false
	}
	a.readers.Add(1)
	return a.readers.Done, true
}

// run reads until ctx, which is the node process's, or the app ends.
func (s *subscription) run(ctx context.Context, c *client.Client) {
	done, ok := s.app.begin()
	if !ok {
		return
	}
	defer done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.app.reading, cancel)()
	s.one.Lock()
	defer s.one.Unlock()
	log := s.app.log.With("operation", s.operation, "subscriber", s.subscriber)
	for ctx.Err() == nil {
		err := s.read(ctx, c)
		switch {
		case ctx.Err() != nil || err == nil:
			return
		case errors.Is(err, client.ErrSuperseded):
			log.Error("another host reads this trigger; not reading it here any more")
			return
		}
		level := slog.LevelWarn
		if lost, ok := errors.AsType[*client.TransportError](err); ok && lost.Code == codes.Unavailable {
			level = slog.LevelDebug // the node goes, which its supervisor reports
		}
		log.Log(ctx, level, "subscription ended; opening it again", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

// read opens the stream and handles events until it ends. nil: it ended in order.
func (s *subscription) read(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sub, err := c.Subscribe(ctx, client.Start{Operation: s.operation, Subscriber: s.subscriber, Filter: s.filter, Cursor: s.cursor,
		Subscribers: s.all, Progress: func(cursor []byte) { s.cursor = cursor }})
	if err != nil {
		return err
	}
	if !sub.Ready.Resumed && len(s.cursor) > 0 {
		s.app.log.Error("events were lost: the node no longer has those after the last one read", "operation", s.operation)
	}
	for {
		ev, err := sub.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := s.handle(ctx, ev); err != nil {
			return err
		}
		s.cursor = ev.Cursor
		if err := sub.Ack(ev.Sequence); err != nil {
			return err
		}
	}
}

// handle gives one event to the engine and to the listener. An error brings it back later.
func (s *subscription) handle(ctx context.Context, ev sdk.Event) error {
	_, err := s.app.Engine.Deliver(ctx, engine.Event{
		ID: ev.ID, Time: ev.Time, Type: ev.Type, Data: json.RawMessage(ev.Data), Correlation: ev.Correlation, For: s.trigger,
	})
	if err != nil {
		return err
	}
	if s.app.opt.OnEvent != nil && s.trigger == "" {
		s.app.opt.OnEvent(ev)
	}
	return nil
}
