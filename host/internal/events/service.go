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
	// poll is how often this host looks for events and webhooks that another host has stored.
	poll = 250 * time.Millisecond
	// sweepEvery is how often the outbox and the dead letters are trimmed to their limits.
	sweepEvery = time.Minute
	// headsPage is how many new events are read at a time to find the senders to wake.
	headsPage = 1000
	// lookEvery is how often a host that does not deliver checks whether events of runs are wanted.
	lookEvery = 5 * time.Second
	// again is how long the service waits before it tries to get the lease or to deliver again.
	again = time.Second
)

// Options configure a Service. DB, Told and Secret are required.
type Options struct {
	DB      *sqldb.DB              // with the host's tables
	Told    func() <-chan struct{} // closed when this process has put an event into the outbox
	Secret  []byte                 // of the server; keys are derived from it
	Private bool                   // receivers may be on private addresses
	Token   func(ctx context.Context, instance string) (string, error)
	Logger  *slog.Logger
	Now     func() time.Time // nil means time.Now
}

// Service stores webhooks and calls them. It delivers after Start. Call Stop once, even without Start.
type Service struct {
	opt    Options
	store  store
	box    outbox
	lease  *lease
	guard  *netguard.Guard
	client *http.Client

	changed chan struct{} // holds one token when this process has changed webhooks
	runs    atomic.Bool   // events of runs are wanted, or it is not known yet
	asked   atomic.Int64  // counts this process's changes of webhooks
	readers atomic.Int64  // events of runs are kept for readers at least until then, in Unix milliseconds

	life    sync.Mutex
	stop    context.CancelFunc // ends the loop; nil before Start
	done    chan struct{}
	sending context.Context // of the senders; only the loop uses it
	calling context.Context // of the calls to receivers
	cut     context.CancelFunc
	senders sync.WaitGroup

	// Only the loop uses these: the senders by webhook, and by the one instance whose events they
	// want ("": events of several).
	by        map[string]*sender
	listeners map[string][]*sender
	server    server // the senders have read from it
}

// New returns a Service that can manage webhooks and read the outbox; it delivers only after Start.
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

// Start delivers events until Stop, while no other host does. Only the first call has an effect.
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

// Stop waits for the calls in progress. When ctx ends first, it cancels them and waits for their end.
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

// Tells reports whether events of runs are wanted; see engine.Options.
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

// look runs note on a host that does not deliver.
func (s *Service) look(ctx context.Context) error {
	asked := s.asked.Load()
	all, err := s.store.all(ctx, s.opt.DB, true)
	if err != nil {
		return err
	}
	return s.note(ctx, all, asked)
}

// note sets runs to whether a reader or one of the webhooks wants events of runs. asked is the count
// of changes before the webhooks were read.
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
	if s.asked.Load() != asked { // webhooks have changed since; assume yes until the next look
		s.runs.Store(true)
	}
	return nil
}

// deliver runs the senders until ctx ends or another host has the lease.
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
		told := s.opt.Told() // before reading, so that an event stored meanwhile ends the wait below
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

// LookEvery is how often a reader must read the outbox to see events that do not close Told.
func (s *Service) LookEvery() time.Duration { return s.doze() }

// doze is the longest wait without a signal. It is short if other hosts may store events or
// webhooks, because their changes do not signal this host.
func (s *Service) doze() time.Duration {
	if s.lease.alone {
		return sweepEvery
	}
	return poll
}

// follow brings the senders up to date with the webhooks if these have changed. seen and its result
// are the number of changes that the senders reflect.
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

// rouse wakes the senders that may want one of the next events after a position. It returns the
// position of the last event that it looked at, and whether there may be more.
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
