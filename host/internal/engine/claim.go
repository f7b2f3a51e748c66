package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// errKey is a concurrency key that cannot be worked out.
var errKey = errors.New("the concurrency key cannot be worked out")

// maxTurns is how often a run tries to begin while others with its key come and go.
const maxTurns = 20

// begin starts a run as the concurrency rule of its trigger says: in parallel with the other runs
// of its key, in their place, after them, or, with a *ClaimedError, not at all.
func (e *Engine) begin(ctx context.Context, p *flow.Program, id string, c change) ([]run.Effect, error) {
	rule, err := e.concurrency(p, id, c)
	if err != nil {
		return nil, err
	}
	if rule.Key != "" || rule.Policy != flow.PolicyParallel {
		c.claim = p.Flow().Metadata.ID + " " + rule.Key
	}
	if c.claim != "" && c.event.Trial { // a trial must not hold up customers' runs
		c.claim = "trial of " + c.claim
	}
	c.turn = TurnAlone
	if rule.Policy == flow.PolicyParallel {
		c.turn = TurnShared
	}
	c.event.Pins = e.pins(p)
	for range maxTurns {
		var effects []run.Effect
		var claimed *ClaimedError
		effects, err = e.first(ctx, p, id, c)
		switch {
		case errors.Is(err, ErrFree):
			c.turn = TurnAlone
			continue
		case !errors.As(err, &claimed):
			return effects, err
		}
		switch rule.Policy {
		case flow.PolicyQueue:
			c.turn = TurnQueued
		case flow.PolicyReplace:
			if err := e.Cancel(ctx, claimed.Run, "replaced by run "+id); err != nil && !errors.Is(err, ErrNotFound) {
				return nil, err
			}
		default:
			ignored := Step{Time: time.Now(), Run: id, Flow: p.Flow().Metadata.ID, Kind: run.TraceRunIgnored,
				Message: "run " + claimed.Run + " is not over"}
			return nil, errors.Join(claimed, e.log.Publish(ctx, ignored))
		}
	}
	return nil, fmt.Errorf("run %s did not get its turn: %w", id, err)
}

// concurrency is a trigger's rule for runs with the same key.
func (e *Engine) concurrency(p *flow.Program, id string, c change) (flow.Concurrency, error) {
	trigger, err := p.Trigger(c.event.Trigger)
	if err != nil || trigger.Concurrency == nil {
		return flow.Concurrency{Policy: flow.PolicyParallel}, err
	}
	scope := flow.Scope{Run: id, Event: c.event.Data}
	if scope.Vars, err = p.Variables(trigger.ID, scope, c.event.Vars); err != nil {
		return flow.Concurrency{}, err
	}
	rule, err := p.Concurrency(trigger.ID, scope)
	if err != nil {
		return flow.Concurrency{}, fmt.Errorf("%w: %w", errKey, err)
	}
	return rule, nil
}

// first makes the first change of a run, which begins or is queued.
func (e *Engine) first(ctx context.Context, p *flow.Program, id string, c change) ([]run.Effect, error) {
	defer e.exclusive(id)()
	if c.turn != TurnQueued {
		return e.commit(ctx, p, run.State{Run: id}, 0, c)
	}
	ev := c.event
	ev.At = now()
	s, effects, err := run.Queue(p, id, ev)
	if err != nil {
		return nil, err
	}
	return effects, e.store(ctx, p, run.State{}, s, 0, c, ev, effects)
}

// takeTurn begins a queued run whose turn has come. If another run has the turn, the task is
// dropped: there will be another task when that run is over.
func (e *Engine) takeTurn(ctx context.Context, t Task) error {
	s, err := e.State(ctx, t.Run)
	if err != nil {
		return err
	}
	if s.Status == run.StatusQueued {
		_, err = e.apply(ctx, t.Run, change{event: run.Event{Kind: run.Started}, ends: t, turn: TurnAlone})
		if claimed := (*ClaimedError)(nil); !errors.As(err, &claimed) {
			return err
		}
	}
	return e.log.Drop(ctx, t)
}
