package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tapnode/tapnode/internal/netguard"
	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	// poll is how long what another host stored, of events or webhooks, may go unseen.
	poll = 250 * time.Millisecond
	// sweepEvery is how often the outbox and the dead letters are looked through.
	sweepEvery = time.Minute
	// headsPage is how many events are looked at together for whom they wake.
	headsPage = 1000
	// lookEvery is how often a host that does not deliver looks at what is wanted.
	lookEvery = 5 * time.Second
	// again is how long the service rests when its database cannot be used.
	again = time.Second
)

// Options configure a Service. DB, Told and Secret are required.
type Options struct {
	DB      *sqldb.DB              // with the host's tables
	Told    func() <-chan struct{} // closed when the outbox of this process got something
	Secret  []byte                 // of the server
	Private bool                   // receivers may be on private addresses
	Token   func(ctx context.Context, instance string) (string, error)
	Logger  *slog.Logger
	Now     func() time.Time // nil means time.Now
}

// Service keeps webhooks and calls them. Start it to deliver, and Stop it once in any case.
type Service struct {
	opt    Options
	store  store
	box    outbox
	lease  *lease
	guard  *netguard.Guard
	client *http.Client

	changed chan struct{} // holds one token when webhooks have changed here
	runs    atomic.Bool   // somebody wants events of runs, or nobody has looked yet
	asked   atomic.Int64  // how often webhooks have changed here
	readers atomic.Int64  // until when they are kept for readers at least, in milliseconds

	life    sync.Mutex
	stop    context.CancelFunc // ends the loop; nil before Start
	done    chan struct{}
	sending context.Context // of senders; the loop's own
	calling context.Context // of the calls of receivers
	cut     context.CancelFunc
	senders sync.WaitGroup

	// The loop's: the senders by webhook, and by the only instance that they want; "" is all.
	by        map[string]*sender
	listeners map[string][]*sender
	server    server // that they have read from
}

// New is ready to answer, and delivers nothing yet.
func New(opt Options) *Service {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	guard := &netguard.Guard{Private: opt.Private}
	s := &Service{opt: opt, store: store{opt.DB, opt.Now}, box: outbox{opt.DB}, lease: newLease(opt.DB), guard: guard, client: newClient(guard),
		changed: make(chan struct{}, 1), by: map[string]*sender{}}
	s.calling, s.cut = context.WithCancel(context.Background())
	s.runs.Store(true)
	return s
}

// Start delivers until Stop, as long as no other host does. It may be called once.
func (s *Service) Start() {
	s.life.Lock()
	defer s.life.Unlock()
	if s.stop != nil {
		return
	}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		s.loop(ctx)
	}()
}

// Stop lets the calls that are under way end until ctx does, then cuts them, and waits.
func (s *Service) Stop(ctx context.Context) error {
	s.life.Lock()
	defer s.life.Unlock()
	defer s.client.CloseIdleConnections()
	defer s.cut()
	if s.stop == nil {
		return nil
	}
	s.stop()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	s.cut()
	<-s.done
	return fmt.Errorf("calls of webhooks were cut and are made again: %w", ctx.Err())
}

// Tells says whether somebody wants events of runs; see engine.Options.
func (s *Service) Tells() bool { return s.runs.Load() }

// loop delivers while this host has the lease.
func (s *Service) loop(ctx context.Context) {
	var looked time.Time
	for ctx.Err() == nil {
		mine, err := s.lease.take(ctx)
		if err == nil && mine {
			err = s.deliver(ctx)
		} else if err == nil && time.Since(looked) > lookEvery {
			err, looked = s.look(ctx), time.Now()
		}
		if err != nil && ctx.Err() == nil {
			s.opt.Logger.Warn("webhooks cannot be served now; trying again", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-s.changed:
			looked = time.Time{}
		case <-time.After(again):
		}
	}
	giving, cancel := context.WithTimeout(context.Background(), renewEvery)
	defer cancel()
	if err := s.lease.give(giving); err != nil {
		s.opt.Logger.Debug("the lease of the webhooks was not given back", "err", err)
	}
}

// look notes what is wanted, for a host that does not deliver.
func (s *Service) look(ctx context.Context) error {
	asked := s.asked.Load()
	all, err := s.store.all(ctx, s.opt.DB, true)
	if err != nil {
		return err
	}
	return s.note(ctx, all, asked)
}

// note finds out whether somebody wants events of runs, by the webhooks there were when they had changed so often.
func (s *Service) note(ctx context.Context, all []*Webhook, asked int64) error {
	until, err := runsKept(ctx, s.opt.DB)
	if err != nil {
		return err
	}
	wanted := s.opt.Now().Before(until)
	for _, w := range all {
		for _, name := range runTypes {
			ev := Event{}
			ev.Type = name
			wanted = wanted || w.Enabled && len(w.Instances) == 0 && w.wants(ev)
		}
	}
	s.runs.Store(wanted)
	if s.asked.Load() != asked { // there may be more by now: it is looked at again
		s.runs.Store(true)
	}
	return nil
}

// deliver runs the senders until ctx ends or the lease is another host's.
func (s *Service) deliver(ctx context.Context) (err error) {
	var quit context.CancelFunc
	s.sending, quit = context.WithCancel(ctx)
	defer func() {
		quit()
		s.senders.Wait()
		s.by = map[string]*sender{}
	}()
	if s.server, err = serverOf(ctx, s.opt.DB); err != nil {
		return err
	}
	position, _, err := s.box.edges(ctx)
	if err != nil {
		return err
	}
	changes := int64(-1)
	var renewed, swept time.Time
	for {
		told := s.opt.Told() // before reading: what comes meanwhile wakes
		now := time.Now()
		if now.Sub(renewed) >= renewEvery {
			mine, err := s.lease.take(ctx)
			if err == nil && !mine {
				return nil
			}
			if err != nil {
				return err
			}
			renewed = now
		}
		if changes, err = s.follow(ctx, changes); err != nil {
			return err
		}
		if now.Sub(swept) >= sweepEvery {
			if err := s.sweep(ctx); err != nil {
				return err
			}
			swept = now
		}
		var more bool
		if position, more, err = s.rouse(ctx, position); err != nil {
			return err
		}
		if more {
			continue
		}
		timer := time.NewTimer(s.doze())
		select {
		case <-told:
		case <-s.changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if err := ctx.Err(); err != nil {
			return nil //nolint:nilerr // it was to end
		}
	}
}

// LookEvery is how often a reader looks for what it was not told of; see Told.
func (s *Service) LookEvery() time.Duration { return s.doze() }

// doze is how long nothing is looked at without a reason: other hosts bring some, too.
func (s *Service) doze() time.Duration {
	if s.lease.alone {
		return sweepEvery
	}
	return poll
}

// follow makes the senders those of the webhooks there are, if these have changed.
func (s *Service) follow(ctx context.Context, seen int64) (int64, error) {
	if err := s.server.check(ctx, s.opt.DB); err != nil {
		return seen, err
	}
	changes, err := s.store.changes(ctx)
	if err != nil || changes == seen {
		return seen, err
	}
	asked := s.asked.Load()
	all, err := s.store.all(ctx, s.opt.DB, true)
	if err != nil {
		return seen, err
	}
	if err := s.note(ctx, all, asked); err != nil {
		return seen, err
	}
	there := map[string]bool{}
	s.listeners = map[string][]*sender{}
	for _, w := range all {
		there[w.ID] = true
		d := s.by[w.ID]
		if d == nil {
			d = newSender(s, w)
			s.by[w.ID] = d
			d.wake()
		} else {
			d.configure(w)
		}
		s.listeners[w.instance()] = append(s.listeners[w.instance()], d)
	}
	for id, d := range s.by {
		if !there[id] {
			d.remove()
			delete(s.by, id)
		}
	}
	return changes, nil
}

// rouse wakes those who may want events after a position.
func (s *Service) rouse(ctx context.Context, after uint64) (position uint64, more bool, err error) {
	heads, err := s.box.heads(ctx, after, headsPage)
	if err != nil || len(heads) == 0 {
		return after, false, err
	}
	instances := map[string]bool{"": true}
	for _, h := range heads {
		instances[h.instance] = true
	}
	for instance := range instances {
		for _, d := range s.listeners[instance] {
			d.wake()
		}
	}
	return heads[len(heads)-1].position, len(heads) == headsPage, nil
}

func (d *sender) only() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hook.instance()
}

// sweep keeps the outbox and the dead letters within their limits.
func (s *Service) sweep(ctx context.Context) error {
	newest, _, err := s.box.edges(ctx)
	if err != nil {
		return err
	}
	floor := newest
	var late []laggard
	for id, d := range s.by {
		if f := d.floor(); f != math.MaxUint64 {
			late = append(late, laggard{id, d.only(), f})
			floor = min(floor, f)
		}
	}
	lost, err := s.box.trim(ctx, trimming{floor, s.opt.Now().Add(-keepEvents), maxEvents, maxBytes, late})
	if lost > 0 {
		s.opt.Logger.Error("the outbox was over its limit: events were removed before all webhooks had them", "events", lost)
	}
	return errors.Join(err, s.store.sweep(ctx))
}
