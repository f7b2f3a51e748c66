package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// taskLimit is how long the functions given to OnReady may take to return.
const taskLimit = 10 * time.Second

// session is one process from its handshake to its end.
type session struct {
	spec     Spec
	log      *slog.Logger
	run      *runner
	conn     *grpc.ClientConn
	client   *client.Client
	manifest sdk.Manifest
	shared   bool // processes of other hosts use the same data, so its subjects wait for Claim
	health   *vitals
	ready    time.Time // when Configure was done

	ctx    context.Context // ends with the process
	cancel context.CancelFunc
	tasks  sync.WaitGroup // everything that runs on ctx

	fault atomic.Pointer[string] // why this package killed it, if not on request
}

// launch starts, checks and configures a process. An error describes the failure in terms of
// what the node did; the runner, if there was one, is returned with the error for the crash report.
func launch(ctx context.Context, spec Spec, log *slog.Logger) (*session, *runner, error) {
	if spec.Verify != nil {
		if err := spec.Verify(); err != nil {
			return nil, nil, fmt.Errorf("the binary is not run: %w (%w)", err, errPermanent)
		}
	}
	start, cancel := context.WithTimeoutCause(ctx, spec.StartTimeout, errNoHandshake)
	defer cancel()
	run, conn, err := handshake(start, spec, log)
	if err != nil {
		return nil, run, err
	}
	s := &session{spec: spec, log: log, run: run, conn: conn, client: client.New(conn), health: newVitals()}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.tasks.Go(func() { drainStdio(s.ctx, conn) })
	if err := s.prepare(ctx); err != nil {
		return nil, run, s.abandon(ctx, err)
	}
	s.ready = time.Now()
	go func() {
		<-run.done
		s.cancel()
	}()
	return s, run, nil
}

// prepare reads the node's manifest, checks it, and configures the node.
func (s *session) prepare(ctx context.Context) error {
	describe, cancel := context.WithTimeout(ctx, s.spec.DescribeTimeout)
	defer cancel()
	var err error
	if s.manifest, err = s.client.Describe(describe); err != nil {
		return err
	}
	if s.spec.Accept != nil {
		if err := s.spec.Accept(s.manifest); err != nil {
			return fmt.Errorf("%w (%w)", err, errPermanent)
		}
	}
	configure, cancel := context.WithTimeout(ctx, s.spec.ConfigureTimeout)
	defer cancel()
	setup := sdk.Setup{Settings: s.spec.Settings, Secrets: s.spec.Secrets, StateDir: s.spec.StateDir, Leased: s.spec.Leased}
	if s.shared, err = s.client.ConfigureLeased(configure, setup); err != nil {
		return refusal(err)
	}
	return nil
}

// refusal classifies an error of Configure: wrong settings, if a violation points at a
// member, are permanent; otherwise the node cannot open yet.
func refusal(err error) error {
	var problem *sdk.Problem
	if !errors.As(err, &problem) {
		return err
	}
	var wrong []error
	for _, v := range problem.Violations {
		if v.Pointer != "" {
			wrong = append(wrong, fmt.Errorf("%s: %s", v.Pointer, v.Message))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the settings are refused: %w (%w)", errors.Join(wrong...), errPermanent)
	}
	return fmt.Errorf("the node cannot open: %w (%w)", err, errNotYet)
}

// abandon ends a process that failed to become ready and adds to the error how the
// process ended.
func (s *session) abandon(ctx context.Context, err error) error {
	if !errors.Is(err, errPermanent) && !errors.Is(err, errNotYet) && ctx.Err() == nil {
		select { // a broken connection is often the first sign of an exit
		case <-s.run.done:
		case <-time.After(lastWords):
		}
	}
	ended := s.close()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !ended:
		return unkilled(s.run, err)
	case !s.run.wasKilled():
		return fmt.Errorf("%w; the node ended (%s)", err, s.run.exit())
	}
	return err
}

// stop ends the process in order: Drain, Close, exit, and SIGKILL as the last resort. When
// ctx ends, it sends SIGKILL at once. It returns an error if SIGKILL was needed.
func (s *session) stop(ctx context.Context) error {
	s.drain(ctx)
	s.bye(ctx)
	exit, cancel := context.WithTimeout(ctx, s.spec.ExitTimeout)
	defer cancel()
	err := s.run.Wait(exit)
	if !s.close() {
		return fmt.Errorf("node %s: process %d does not end after SIGKILL", s.spec.Name, s.run.pid())
	}
	if err != nil {
		return fmt.Errorf("node %s did not end by itself and was killed: %w", s.spec.Name, err)
	}
	return nil
}

// drain lets running calls finish and closes the node.
func (s *session) drain(ctx context.Context) {
	drain, cancel := context.WithTimeout(ctx, s.spec.DrainGrace+s.spec.drainSlack)
	defer cancel()
	cut, err := s.client.Drain(drain, s.spec.DrainGrace)
	if err != nil {
		s.log.Warn("node did not drain", "error", err)
	} else if len(cut) > 0 {
		s.log.Warn("node cut running calls", "count", len(cut), "keys", cut)
	}
	closing, cancel := context.WithTimeout(ctx, s.spec.CloseTimeout)
	defer cancel()
	if err := s.client.Close(closing); err != nil {
		s.log.Warn("node did not close", "error", err)
	}
}

// bye asks the process to exit in the two ways there are: go-plugin's controller,
// which every go-plugin server has, and the end of stdin, which the sdk watches.
func (s *session) bye(ctx context.Context) {
	bye, cancel := context.WithTimeout(ctx, s.spec.ExitTimeout)
	defer cancel()
	// The server stops while it answers, so the answer is often an error.
	_ = s.conn.Invoke(bye, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
	s.run.stdin.Close()
}

// fail kills a process that runs but does not work, and records why.
func (s *session) fail(reason string) {
	s.fault.CompareAndSwap(nil, &reason)
	_ = s.run.kill()
}

// close kills the process and releases everything that belongs to it. It returns false
// if the process cannot be killed.
func (s *session) close() bool {
	ended := s.run.end()
	s.cancel()
	_ = s.conn.Close() // the other end is gone
	s.await()
	return ended
}

// await waits for the tasks on ctx, which has ended, at most for [taskLimit].
func (s *session) await() {
	returned := make(chan struct{})
	go func() {
		s.tasks.Wait()
		close(returned)
	}()
	select {
	case <-returned:
	case <-time.After(taskLimit):
		s.log.Error("an OnReady function does not return; the node goes on without it", "waited", taskLimit)
	}
}

// crash is the report of an end that nobody requested.
func (s *session) crash() Crash {
	reason := "the node ended by itself: " + s.run.exit()
	if fault := s.fault.Load(); fault != nil {
		reason = *fault
	}
	return report(s.run, reason, time.Since(s.ready))
}
