// Package engine runs flows. It keeps each run in a Log, carries out the effects that the flow
// interpreter asks for, and routes events to the runs that they answer.
//
// # What it guarantees
//
//   - A change of a run's state happens exactly once: every change is appended with the revision it
//     was computed from, and when two changes race, the loser is computed again.
//   - A call of a node happens at least once, always under the same idempotency key for the same
//     visit. A call that was requested and has no outcome is requested again after a restart,
//     because it is part of the state. A call that is not safe to repeat happens at most once: if
//     it was begun and has no outcome, it fails with an unknown effect.
//   - Calls of one lane (an operation for one instance) begin in order and a few at a time, so that
//     a slow instance delays no other.
//   - An answer that was given before the deadline of its wait beats the timeout, however late it
//     arrives; while answers may be on their way, timeouts wait.
//   - A wait can be found before its message is sent.
//   - The policy of a trigger decides which runs with the same key may begin. Queued runs begin in
//     order, even if the host dies between two of them.
//   - Each time of a schedule starts one run, on however many hosts.
//   - An event that can never be delivered is kept as a dead letter and does not hold up the events
//     behind it.
//   - An event is applied to a run once per event id, as long as the run remembers the id, and
//     starts a run at most once per trigger.
//   - Everything is bounded: calls have deadlines, workers are counted, retries are bounded by the
//     flow, and the Log bounds what it keeps.
package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
)

// Limits and defaults.
const (
	// defaultCalls is how many calls of nodes run at the same time.
	defaultCalls = 512
	// timers is how many due retries, and how many due timeouts, are processed at the same time.
	timers = 4
	// maxFlows is how many versions of flows may be deployed.
	maxFlows = 10_000
	// maxEvent is the size of an event's data in bytes.
	maxEvent = 256 << 10
	// keepWaits is how long a late answer still finds its run.
	keepWaits = 30 * 24 * time.Hour
)

// Errors of the engine.
var (
	// ErrUnknownFlow means that no such flow, or no such version, is deployed.
	ErrUnknownFlow = errors.New("the flow is not deployed")
	// ErrKeyUsed means that the key has already started a run of the flow with other variables.
	ErrKeyUsed = errors.New("the key was used for another request")
	// ErrState means that Start or Stop was called out of order.
	ErrState = errors.New("the engine is not in that state")
)

// Options of an Engine. Log and Executor are required.
type Options struct {
	Log      Log
	Executor Executor
	Builtins []Builtin
	// Logger is for failures that no caller is told about; nil is slog.Default.
	Logger *slog.Logger
	// Calls is how many calls of nodes run at the same time; 0 is defaultCalls.
	Calls int
	// Compile makes a program from a version of a flow that the Log has kept. Without it the engine
	// can run only the versions that are deployed in this process.
	Compile func(id string, source []byte) (*flow.Program, error)
	// Behind says whether answers that were given before now, to messages that a run has sent
	// through an instance, may still be on their way, such as after an outage. With empty names it
	// says whether any answers at all may be. Timeouts wait meanwhile. Nil: never.
	Behind func(instance, run string) bool
	// Fitter says whether another process on the Log can run more of the versions in use than this
	// one. Events of subscriptions are then left to that process. anew asks for a fresh result,
	// before an event becomes a dead letter. Nil: never.
	Fitter func(ctx context.Context, anew bool) bool
	// Tells says whether anybody wants the events of runs: see Outgoing. Nil: nobody does.
	Tells func() bool
}

// Engine runs flows. Its methods may be called from several goroutines.
type Engine struct {
	log      Log
	exec     Executor
	builtins map[string]builtin
	logger   *slog.Logger
	calls    int
	compile  func(string, []byte) (*flow.Program, error)
	behind   func(instance, run string) bool
	fitter   func(ctx context.Context, anew bool) bool
	tells    func() bool
	hot      *hot
	seed     maphash.Seed
	stripes  [4096]sync.Mutex // serialize the changes of a run in this process; with so many, a thousand runs at once seldom share one

	// complaints bounds the log lines about dead letters, and about tasks that fail or cannot be held.
	complaints *rate.Limiter
	// outage bounds the log lines about a failing Log, which hundreds of workers notice at the same
	// time.
	outage rate.Sometimes

	mu       sync.RWMutex
	programs map[string]*flow.Program // by digest, for the runs that are pinned to them
	unfit    map[string]error         // by digest: why a version in use is not among the programs

	served      atomic.Pointer[serving] // for new runs
	rescheduled chan struct{}           // holds one token when served has changed

	publishing sync.Mutex // held while this process changes the set of published flows

	life    sync.Mutex
	stop    context.CancelFunc // ends the loops; nil before Start
	cut     context.CancelFunc // ends running calls
	workers sync.WaitGroup
}

// New returns an engine without flows. Start makes it work.
func New(o Options) (*Engine, error) {
	if o.Log == nil || o.Executor == nil {
		return nil, errors.New("an engine needs a Log and an Executor")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Calls <= 0 {
		o.Calls = defaultCalls
	}
	if o.Behind == nil {
		o.Behind = func(string, string) bool { return false }
	}
	if o.Fitter == nil {
		o.Fitter = func(context.Context, bool) bool { return false }
	}
	if o.Tells == nil {
		o.Tells = func() bool { return false }
	}
	e := &Engine{log: o.Log, exec: o.Executor, builtins: map[string]builtin{}, logger: o.Logger, calls: o.Calls, compile: o.Compile, behind: o.Behind, fitter: o.Fitter, tells: o.Tells,
		seed: maphash.MakeSeed(), complaints: rate.NewLimiter(rate.Every(time.Second), 10), outage: rate.Sometimes{Interval: margin}, programs: map[string]*flow.Program{}, unfit: map[string]error{}, rescheduled: make(chan struct{}, 1)}
	var err error
	if e.hot, err = newHot(); err != nil {
		return nil, err
	}
	e.serve(map[string]*flow.Program{})
	for _, b := range o.Builtins {
		op := b.Operation()
		e.builtins[op.ID] = builtin{b, op.ID, op.Replay == sdk.Pure}
	}
	return e, nil
}

// Start lets the engine work until Stop, or until ctx ends. It may be called
// once.
func (e *Engine) Start(ctx context.Context) error {
	e.life.Lock()
	defer e.life.Unlock()
	if e.stop != nil {
		return fmt.Errorf("start: %w", ErrState)
	}
	calls, cut := context.WithCancel(ctx)
	loops, stop := context.WithCancel(calls)
	e.stop, e.cut = stop, cut
	for range e.calls {
		e.workers.Go(func() { e.work(loops, calls, Calls) })
	}
	e.workers.Go(func() { e.keepSchedules(loops) })
	for range timers {
		e.workers.Go(func() { e.work(loops, calls, Timers) })
		e.workers.Go(func() { e.work(loops, calls, Timeouts) })
	}
	return nil
}

// Stop takes no more tasks, lets running calls finish until ctx ends, and cancels the rest.
// Cancelled calls are made again, under the same keys, by the next process that works on the Log.
// It returns when every goroutine of the engine has ended.
func (e *Engine) Stop(ctx context.Context) error {
	e.life.Lock()
	defer e.life.Unlock()
	if e.stop == nil {
		return fmt.Errorf("stop: %w", ErrState)
	}
	e.stop()
	done := make(chan struct{})
	go func() { e.workers.Wait(); close(done) }()
	defer func() { e.cut(); <-done }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop: some calls were cut: %w", ctx.Err())
	}
}
