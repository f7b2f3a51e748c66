package process

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// loop is one period of supervision, from a Start to its Stop.
type loop struct {
	ctx    context.Context // ends when the node should stop
	cancel context.CancelFunc
	now    context.Context // ends when the node should be killed at once
	hurry  context.CancelFunc

	first chan error // outcome of the first start; buffered
	done  chan struct{}
	err   error // of the stop; read it only after done
}

func newLoop() *loop {
	l := &loop{first: make(chan error, 1), done: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.now, l.hurry = context.WithCancel(context.Background())
	return l
}

// end asks the loop to stop, hurries it when ctx ends and waits for it.
func (l *loop) end(ctx context.Context) error {
	defer l.hurry()
	l.cancel()
	select {
	case <-l.done:
	case <-ctx.Done():
		l.hurry()
		<-l.done
	}
	return l.err
}

// supervise starts the node, and restarts it after each end, until the loop is to stop.
// It owns every process; no other goroutine starts or replaces one.
func (s *Supervisor) supervise(l *loop) {
	defer close(l.done)
	budget := newBudget(s.spec)
	for {
		crash, err := s.runOnce(l)
		if l.ctx.Err() != nil {
			s.tellFirst(l, err)
			break
		}
		s.crashes.add(crash)
		s.tell(crash)
		wait, again := budget.failed(crash.Time, crash.Ran, !errors.Is(err, errNotYet))
		if permanent := errors.Is(err, errPermanent); permanent || !again {
			s.quarantine(crash, permanent)
			s.tellFirst(l, err) // only after the change of state, so that Start's caller sees it
			<-l.ctx.Done()
			break
		}
		s.log.Info("node starts again", "in", wait.Round(time.Millisecond))
		s.status.set(BackingOff, crash.Reason, func(st *Status) { st.PID, st.RetryAt = 0, time.Now().Add(wait) })
		s.tellFirst(l, err)
		select {
		case <-time.After(wait):
		case <-l.ctx.Done():
		}
		if l.ctx.Err() != nil {
			break
		}
	}
	s.status.set(Stopped, "", func(st *Status) { st.PID = 0 })
}

// tell logs a crash.
func (s *Supervisor) tell(c Crash) {
	args := []any{"reason", c.Reason}
	if c.PID > 0 {
		args = append(args, "pid", c.PID)
	}
	if c.Exit != "" {
		args = append(args, "exit", c.Exit)
	}
	if c.Ran > 0 {
		s.log.Error("node ended", append(args, "ran", c.Ran.Round(time.Millisecond))...)
		return
	}
	s.log.Error("node did not start", args...)
}

func (s *Supervisor) quarantine(crash Crash, permanent bool) {
	reason := crash.Reason
	if !permanent {
		reason = fmt.Sprintf("%d crashes in %v, the last: %s", s.spec.CrashBudget, s.spec.CrashWindow, crash.Reason)
	}
	reason += "; once that is cured, start it again with: tapnode nodes restart " + s.spec.Name
	s.status.set(Quarantined, reason, func(st *Status) { st.PID = 0 })
}

// runOnce runs one process from its start to its end. It returns the report of its
// crash, and an error if it never became ready; both mean nothing once the loop is to
// stop.
func (s *Supervisor) runOnce(l *loop) (crash Crash, failedStart error) {
	s.status.set(Starting, "", func(st *Status) { st.Starts++ })
	session, run, err := launch(l.ctx, s.spec, s.log)
	if err != nil {
		if l.ctx.Err() != nil {
			err = ErrStopped
		}
		err = fmt.Errorf("node %s: %w", s.spec.Name, err)
		return report(run, err.Error(), 0), err
	}
	s.serve(session)
	s.tellFirst(l, nil)

	select {
	case <-l.ctx.Done():
		s.withdraw(func() { s.status.set(Draining, "", nil) })
		l.err = session.stop(l.now)
		return Crash{}, nil
	case <-session.run.done:
		s.withdraw(func() {})
		session.close()
		return session.crash(), nil
	}
}

// tellFirst tells Start how the first start went.
func (s *Supervisor) tellFirst(l *loop, err error) {
	select {
	case l.first <- err:
	default: // not the first
	}
}

// serve makes a session available to callers and starts its health checks and hooks.
func (s *Supervisor) serve(session *session) {
	s.manifest.Store(&session.manifest)

	s.hooksMu.Lock()
	defer s.hooksMu.Unlock()
	s.session.Store(session)
	s.status.set(Ready, "", func(st *Status) { st.PID = session.run.pid() })

	regrade := func() { s.status.regrade(session.health.grade()) }
	session.tasks.Go(func() { session.watchHealth(regrade) })
	session.tasks.Go(func() { session.checkAlive(regrade) })
	for _, f := range s.hooks {
		session.tasks.Go(func() { f(session.ctx, session.client) })
	}
}

// withdraw makes the session unavailable to callers, then calls mark.
func (s *Supervisor) withdraw(mark func()) {
	s.hooksMu.Lock()
	defer s.hooksMu.Unlock()
	s.session.Store(nil)
	mark()
}
