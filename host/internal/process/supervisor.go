package process

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// Errors of [Supervisor.Client] and [Supervisor.Start]; compare with errors.Is.
var (
	ErrStopped     = errors.New("the node is stopped")
	ErrQuarantined = errors.New("the node is quarantined")
	ErrRunning     = errors.New("the node is already started")
)

// Supervisor keeps one node running. Its methods are safe for concurrent use.
type Supervisor struct {
	spec    Spec
	log     *slog.Logger
	status  *tracker
	crashes crashLog

	session  atomic.Pointer[session]      // nil while calls are not taken
	manifest atomic.Pointer[sdk.Manifest] // of the newest process

	hooksMu sync.Mutex
	hooks   []func(context.Context, *client.Client)

	lifeMu sync.Mutex
	loop   *loop // nil: stopped
}

// New checks the spec and makes the node's state directory. Nothing runs before Start.
func New(spec Spec) (*Supervisor, error) {
	if err := spec.prepare(); err != nil {
		return nil, err
	}
	log := spec.Logger.With("node", spec.Name)
	return &Supervisor{spec: spec, log: log, status: newTracker(log)}, nil
}

// Start begins to keep the node running and waits for the outcome of the first
// start: nil when the node is ready, otherwise the reason why it is not. After an error
// the node stays supervised, backing off or quarantined, until Stop; [Supervisor.State]
// says which. When ctx ends first, the start is cancelled and the node stopped. ctx has
// no effect after Start has returned. Start fails with [ErrRunning] if the node was
// started and not stopped, and with [ErrStopped] if it is stopped meanwhile.
func (s *Supervisor) Start(ctx context.Context) error {
	l := newLoop()
	s.lifeMu.Lock()
	running := s.loop != nil
	if !running {
		s.loop = l
	}
	s.lifeMu.Unlock()
	if running {
		return fmt.Errorf("node %s: %w", s.spec.Name, ErrRunning)
	}
	go s.supervise(l) //nolint:contextcheck // a node outlives the call that starts it
	select {
	case err := <-l.first:
		return err
	case <-ctx.Done():
		_ = s.Stop(ctx)
		return fmt.Errorf("start of node %s: %w", s.spec.Name, context.Cause(ctx))
	}
}

// Stop ends the node in order: running calls have [Timing.DrainGrace] to finish, then the
// node closes and exits. It returns when the process is gone, with an error if it had to
// be killed. When ctx ends, the process is killed at once. A start in progress is
// cancelled. Stopping a stopped node does nothing.
func (s *Supervisor) Stop(ctx context.Context) error {
	s.lifeMu.Lock()
	l := s.loop
	s.lifeMu.Unlock()
	if l == nil {
		return nil
	}
	err := l.end(ctx)
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	if s.loop == l {
		s.loop = nil
	}
	return err
}

// Restart stops the node if it runs, as Stop does, and starts it, as Start does. Earlier
// crashes do not count against the new start.
func (s *Supervisor) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		s.log.Warn("restart", "error", err)
	}
	return s.Start(ctx)
}

// Client returns the client of the running process, at the cost of one atomic load. If
// no process runs, it waits for one until ctx ends, or fails at once with [ErrStopped] or
// [ErrQuarantined] if none will start. A client lasts only as long as its process, so
// get it anew for every call.
func (s *Supervisor) Client(ctx context.Context) (*client.Client, error) {
	if session := s.session.Load(); session != nil {
		return session.client, nil
	}
	return s.awaitClient(ctx)
}

func (s *Supervisor) awaitClient(ctx context.Context) (*client.Client, error) {
	for {
		cur, changed := s.status.get()
		if session := s.session.Load(); session != nil {
			return session.client, nil
		}
		switch cur.State {
		case Stopped, Draining:
			return nil, fmt.Errorf("node %s: %w", s.spec.Name, ErrStopped)
		case Quarantined:
			return nil, fmt.Errorf("node %s: %w: %s", s.spec.Name, ErrQuarantined, cur.Reason)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("node %s is %s: %w", s.spec.Name, cur.State, context.Cause(ctx))
		}
	}
}

// OnReady makes f run once for every process that becomes ready, including the present
// one, on a goroutine of its own. f's context ends with the process, and f must return
// then: the next process is started only afterwards, or 10 s later.
func (s *Supervisor) OnReady(f func(context.Context, *client.Client)) {
	s.hooksMu.Lock()
	defer s.hooksMu.Unlock()
	s.hooks = append(s.hooks, f)
	if session := s.session.Load(); session != nil {
		session.tasks.Go(func() { f(session.ctx, session.client) })
	}
}

// State is the current status.
func (s *Supervisor) State() Status {
	cur, _ := s.status.get()
	return cur
}

// Watch yields the state at once, and again after each change of it or of
// [Supervisor.Health], until ctx ends. A slow caller may miss intermediate states, never
// the newest.
func (s *Supervisor) Watch(ctx context.Context) iter.Seq[Status] { return s.status.watch(ctx) }

// Manifest is the manifest of the newest process; false before there was one.
func (s *Supervisor) Manifest() (sdk.Manifest, bool) {
	if m := s.manifest.Load(); m != nil {
		return *m, true
	}
	return sdk.Manifest{}, false
}

// Process returns a value that identifies the running process, or nil if none runs, and whether
// processes of other hosts use the same data, so that its subjects wait for Claim.
func (s *Supervisor) Process() (process any, shared bool) {
	if session := s.session.Load(); session != nil {
		return session, session.shared
	}
	return nil, false
}

// Crashes returns the reports of the newest crashes, at most ten, oldest first.
func (s *Supervisor) Crashes() []Crash { return s.crashes.copy() }

// Health returns what the running process reports about itself and about each of its
// subjects, ordered by subject, the process ("") first. Empty if none runs.
func (s *Supervisor) Health() []sdk.Health {
	if session := s.session.Load(); session != nil {
		return session.health.copy()
	}
	return nil
}
