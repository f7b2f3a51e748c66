package app

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// everything is the name of the subscriber that reads a trigger without a filter.
const everything = "host"

// subscriptions are the streams of one node: for each of its triggers one without a filter, and one
// for every flow trigger that has a filter. They are opened and closed as flows and processes of
// the node come and go.
type subscriptions struct {
	app  *App
	node *node
	lag  lag

	mu      sync.Mutex
	here    bool        // this host reads the node's events
	readAt  time.Time   // when another host was last known to read them
	process *connection // the current process of the node; nil while there is none
	open    map[place]*subscription
	marks   map[string][]byte // by operation: where a subscription without a cursor begins
}

// place identifies a subscription: there is one per operation and subscriber.
type place struct{ operation, subscriber string }

// id returns the id under which the subscription's cursor is stored.
func (p place) id() string { return p.operation + " " + p.subscriber }

// connection is a process of the node, from its readiness to its end.
type connection struct {
	ctx    context.Context
	client *client.Client
}

func newSubscriptions(a *App, n *node) *subscriptions {
	s := &subscriptions{app: a, node: n, lag: lag{streams: map[place]*streamLag{}}, open: map[place]*subscription{}, marks: map[string][]byte{}, readAt: time.Now()}
	for _, op := range n.manifest.Operations {
		if op.Kind == sdk.KindTrigger {
			s.expect(place{op.ID, everything})
		}
	}
	return s
}

// expect makes timeouts wait until a stream has caught up, if its node reports that.
func (s *subscriptions) expect(at place) {
	if slices.Contains(s.node.manifest.Features, sdk.FeatureCaughtUp) {
		s.lag.open(at)
	}
}

// serve reads from a process until ctx, which is that of the process, or the app ends.
func (s *subscriptions) serve(ctx context.Context, c *client.Client) {
	done, ok := s.app.begin()
	if !ok {
		return
	}
	defer done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.app.reading, cancel)()
	s.mu.Lock()
	s.process = &connection{ctx, c}
	if _, shared := s.node.Process(); !shared {
		s.here = true
	}
	s.mu.Unlock()
	s.follow(ctx)
	<-ctx.Done()
	s.mu.Lock()
	s.process = nil
	open := s.open
	s.open = map[place]*subscription{}
	s.mu.Unlock()
	for _, sub := range open {
		sub.close()
	}
}

// follow opens and closes streams to match the deployed flows. When a stream of an operation is
// added or removed, all streams of the operation are reopened, to send the node all their names;
// each resumes where it was.
func (s *subscriptions) follow(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil || !s.here {
		return
	}
	wanted := s.wanted()
	stale := map[string]bool{} // operations whose streams change
	for at, sub := range s.open {
		if w, ok := wanted[at]; !ok || string(w) != string(sub.filter) {
			stale[at.operation] = true
		}
	}
	for at := range wanted {
		stale[at.operation] = stale[at.operation] || s.open[at] == nil
	}
	for at, sub := range s.open {
		if stale[at.operation] {
			sub.close()
			delete(s.open, at)
		}
		if _, ok := wanted[at]; !ok {
			s.lag.drop(at)
			if err := s.app.opt.Log.DropCursor(ctx, at.id()); err != nil { // it is removed once it is old
				s.app.log.Warn("a subscription's cursor could not be dropped", "operation", at.operation, "subscriber", at.subscriber, "err", err)
			}
		}
	}
	for _, operation := range slices.Sorted(maps.Keys(stale)) {
		if stale[operation] {
			s.begin(operation, wanted)
		}
	}
}

// mark records the positions of the unfiltered subscriptions, where new subscriptions will begin.
func (s *subscriptions) mark(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, op := range s.node.manifest.Operations {
		if op.Kind != sdk.KindTrigger {
			continue
		}
		cursor, err := s.app.opt.Log.Cursor(ctx, place{op.ID, everything}.id())
		if err != nil {
			return err
		}
		s.marks[op.ID] = cursor
	}
	return nil
}

// begin opens the streams of an operation.
func (s *subscriptions) begin(operation string, wanted map[place][]byte) {
	var names []string
	for at := range wanted {
		if at.operation == operation {
			names = append(names, at.subscriber)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		at := place{operation, name}
		sub := &subscription{app: s.app, place: at, filter: wanted[at], all: names, mark: s.marks[operation], lag: &s.lag}
		s.expect(at)
		s.open[at] = sub
		sub.start(s.process)
	}
}

// wanted returns the filters of all subscriptions to keep open, by place; nil is no filter.
func (s *subscriptions) wanted() map[place][]byte {
	out := map[place][]byte{}
	for _, op := range s.node.manifest.Operations {
		if op.Kind != sdk.KindTrigger {
			continue
		}
		out[place{op.ID, everything}] = nil
		for _, p := range s.app.Engine.Deployed() {
			f := p.Flow()
			for _, t := range f.Triggers {
				if t.Type != op.ID || len(t.With) == 0 {
					continue
				}
				filter, err := json.Marshal(t.With)
				if err != nil {
					s.app.log.Error("trigger filter is not JSON", "flow", f.Metadata.ID, "trigger", t.ID, "err", err)
					continue
				}
				out[place{op.ID, flowSubscriber + f.Metadata.ID + "/" + t.ID}] = filter
			}
		}
	}
	return out
}
