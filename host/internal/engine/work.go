package engine

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/sdk"
)

// margin is how long the engine pauses after the Log has failed, and how long giving a task back
// may take.
const margin = 5 * time.Second

// How often the engine checks whether the subscriptions have caught up (catchUp) and, for each
// timeout that waits for its instance, whether that instance has (recheck).
const (
	catchUp = 200 * time.Millisecond
	recheck = time.Second
)

// heartbeat is how often a call renews the lease of its task.
const heartbeat = Lease / 3

// work takes tasks from a queue until loops ends. Calls get the longer-lived
// context, so that Stop can let them finish.
func (e *Engine) work(loops, calls context.Context, q Queue) {
	for loops.Err() == nil {
		if q == Timeouts && (e.fitter(loops, false) || e.behind("", "")) {
			pause(loops, catchUp)
			continue
		}
		t, err := e.log.Next(loops, q)
		if err != nil {
			if loops.Err() == nil {
				e.outage.Do(func() { e.logger.Error("the log has no next task", "queue", q, "err", err) })
				pause(loops, margin)
			}
			continue
		}
		if err := e.do(calls, t); err != nil && calls.Err() == nil && e.complaints.Allow() {
			// The lease runs out, and the task is handed out again.
			e.logger.Error("task failed", "run", t.Run, "task", t.Kind, "visit", t.Visit, "err", err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// do works on one task. After an error the task is handed out again.
func (e *Engine) do(ctx context.Context, t Task) error {
	var err error
	known := e.Unfit()
	switch t.Kind {
	case TaskCall:
		err = e.makeCall(ctx, t)
	case TaskRetry:
		_, err = e.apply(ctx, t.Run, change{event: run.Event{Kind: run.RetryDue, Visit: t.Visit, Attempt: t.Attempt}, ends: t})
	case TaskTimeout:
		if e.behind(t.Lane, t.Run) {
			return e.log.Hold(ctx, t, recheck)
		}
		_, err = e.apply(ctx, t.Run, change{event: run.Event{Kind: run.TimedOut, Visit: t.Visit}, ends: t})
	case TaskStart:
		err = e.takeTurn(ctx, t)
	case TaskReturn:
		err = e.childOver(ctx, t)
	case TaskAbort:
		err = e.abort(ctx, t)
	}
	switch {
	case errors.Is(err, ErrStale): // it is done, or its new holder takes care of it
		return nil
	case errors.Is(err, ErrNotFound): // the run was forgotten
		return e.log.Drop(ctx, t)
	case errors.Is(err, ErrUnknownFlow):
		rest := LeftToOthers
		if e.Unfit() > known { // the Log leaves the task to others from now on
			rest = 0
		}
		return errors.Join(err, e.log.Hold(ctx, t, rest))
	default:
		return err
	}
}

func (e *Engine) makeCall(ctx context.Context, t Task) error {
	rec, err := e.log.Load(ctx, t.Run)
	if err != nil {
		return err
	}
	s, err := decodeState(rec.State)
	if err != nil {
		return err
	}
	p, err := e.pinned(ctx, s)
	if err != nil {
		return err
	}
	x, begun, ok := s.Call(p, t.Visit, t.Attempt)
	if !ok { // it has an outcome, or the run is over: nothing is left to do but to drop the task
		return e.log.Drop(ctx, t)
	}
	if x.Operation == flow.OperationFlow {
		return e.beginChild(ctx, s, x, t)
	}
	if once(p, x) {
		if begun {
			_, err := e.apply(ctx, t.Run, change{event: interrupted(x), ends: t})
			return err
		}
		if _, err := e.apply(ctx, t.Run, change{event: run.Event{Kind: run.Begun, Visit: x.Visit, Attempt: x.Attempt}}); err != nil {
			return err
		}
	}
	held, release, err := e.hold(ctx, t)
	if err != nil {
		return err
	}
	out := e.call(from(held, s, x), x, e.tell(ctx, s, x))
	lost := release()
	switch {
	case ctx.Err() != nil: // cancelled by Stop: this is no outcome, and the next holder makes the call again
		back, cancel := context.WithTimeout(context.WithoutCancel(ctx), margin)
		defer cancel()
		return errors.Join(ctx.Err(), e.log.Hold(back, t, 0))
	case lost != nil:
		return lost
	}
	_, err = e.apply(ctx, t.Run, change{event: out, ends: t})
	return err
}

// once says whether a call must not be made again when the outcome of the first attempt is unknown.
func once(p *flow.Program, x run.Execute) bool {
	replay := p.Node(x.Node).Replay(x.Input)
	return replay != sdk.Pure && replay != sdk.Keyed
}

// interrupted is the outcome of a call that was begun and whose result is unknown because its host
// died or was stopped.
func interrupted(x run.Execute) run.Event {
	return run.Event{Kind: run.Failed, Visit: x.Visit, Attempt: x.Attempt, Problem: &sdk.Problem{
		Code: "interrupted", HTTPStatus: http.StatusBadGateway, Effect: sdk.EffectUnknown, Fault: sdk.FaultNode,
		Message: "the host ended while the call was made: it may have happened, and " + x.Operation + " must not be called twice",
	}}
}

// hold renews the lease of a task until release is called. When another worker gets the task
// meanwhile, held ends and release returns the cause.
func (e *Engine) hold(ctx context.Context, t Task) (held context.Context, release func() error, err error) {
	if err := e.log.Hold(ctx, t, Lease); err != nil {
		return nil, nil, err
	}
	held, cut := context.WithCancelCause(ctx)
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		ticker := time.NewTicker(heartbeat)
		defer ticker.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-ticker.C:
			}
			err := e.log.Hold(held, t, Lease)
			switch {
			case errors.Is(err, ErrStale):
				cut(err)
			case err != nil && held.Err() == nil && e.complaints.Allow():
				e.logger.Warn("a lease was not renewed", "run", t.Run, "visit", t.Visit, "err", err)
			}
		}
	}()
	return held, func() error {
		var lost error
		if held.Err() != nil && ctx.Err() == nil {
			lost = context.Cause(held)
		}
		cut(nil)
		<-beats
		return lost
	}, nil
}

// tell publishes the progress of a call.
func (e *Engine) tell(ctx context.Context, s run.State, x run.Execute) func(Progress) {
	return func(p Progress) {
		st := Step{Time: time.Now(), Run: s.Run, Flow: s.Flow, Kind: run.TraceNodeProgress, Node: x.Node, Visit: x.Visit, Attempt: x.Attempt,
			Operation: x.Operation, Code: p.Stage, Message: flow.ConcealText(p.Message)}
		if st.Cut = len(p.Data) > maxStepData; len(p.Data) > 0 && !st.Cut {
			if data, err := flow.DecodeJSON(p.Data); err == nil {
				st.Data = flow.Conceal(data)
			}
		}
		if err := e.log.Publish(ctx, st); err != nil && ctx.Err() == nil {
			e.logger.Warn("progress was not published", "run", s.Run, "err", err)
		}
	}
}
