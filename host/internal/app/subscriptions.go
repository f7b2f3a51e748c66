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

// everything is the subscriber that reads a trigger without a filter.
const everything = "host"

// patience is how long timeouts wait for a node that does not catch up. What comes later and
// was done in time goes before the timeout all the same, see engine.Event.
const patience = 2 * time.Minute

// subscriptions are the streams of one node: for each of its triggers one without a filter,
// and one for every flow trigger that has a filter. They follow the flows and the node's
// processes.
type subscriptions struct {
	app  *App
	node *node

	mu      sync.Mutex
	process *connection // the node's present one; nil while there is none
	open    map[place]*subscription
	marks   map[string][]byte // by operation: where a subscription without a cursor begins
	away    time.Time         // since when there is something to catch up with; zero: nothing is
}

// place is what there is one subscription of.
type place struct{ operation, subscriber string }

// id of the subscription, for its cursor.
func (p place) id() string { return p.operation + " " + p.subscriber }

// connection is a process of the node, from its readiness to its end.
type connection struct {
	ctx    context.Context
	client *client.Client
}

func newSubscriptions(a *App, n *node) *subscriptions {
	s := &subscriptions{app: a, node: n, open: map[place]*subscription{}, marks: map[string][]byte{}}
	if s.triggers() {
		s.away = time.Now()
	}
	return s
}

// triggers says whether the node has any, and whether it says that it has caught up.
func (s *subscriptions) triggers() bool {
	return slices.Contains(s.node.manifest.Features, sdk.FeatureCaughtUp) &&
		slices.ContainsFunc(s.node.manifest.Operations, func(op sdk.OperationManifest) bool { return op.Kind == sdk.KindTrigger })
}

// serve reads from a process until ctx, which is the process's, or the app ends.
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
	s.mu.Unlock()
	s.follow(ctx)
	<-ctx.Done()
	s.mu.Lock()
	s.process = nil
	if s.triggers() && s.away.IsZero() {
		s.away = time.Now()
	}
	open := s.open
	s.open = map[place]*subscription{}
	s.mu.Unlock()
	for _, sub := range open {
		sub.close()
	}
}

// follow opens and closes streams until they are those that the flows ask for. Streams of an
// operation are opened anew when one of them comes or goes, to tell the node all their names;
// they go on where they were.
func (s *subscriptions) follow(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
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
			if err := s.app.opt.Log.DropCursor(ctx, at.id()); err != nil { // it goes when it is old
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

// mark notes where the host is without a filter, for subscriptions to come.
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
		sub := &subscription{app: s.app, place: at, filter: wanted[at], all: names, mark: s.marks[operation], caughtUp: s.caughtUp}
		s.open[at] = sub
		sub.start(s.process)
	}
}

// wanted are the filters that the flows ask for, by place. Those without one are nil.
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

// caughtUp hears of every stream that has caught up.
func (s *subscriptions) caughtUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.open {
		if !sub.current.Load() {
			return
		}
	}
	s.away = time.Time{}
}

// behind says whether answers may be on their way that were given before now.
func (s *subscriptions) behind() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.away.IsZero() && time.Since(s.away) < patience
}
