package engine

import (
	"context"
	"errors"
	"net/http"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/sdk"
)

// Retry lets a failed run go on at the node where it failed. When that node ran another flow, the
// run of that flow goes on where it failed. The error is run.ErrNoRetry when there is no such node.
func (e *Engine) Retry(ctx context.Context, id string) error {
	effects, err := e.apply(ctx, id, change{event: run.Event{Kind: run.Retried}})
	if err != nil {
		return err
	}
	for _, x := range effects {
		x, ok := x.(run.Execute)
		if !ok || x.Operation != flow.OperationFlow || x.Attempt == 1 {
			continue
		}
		err := e.Retry(ctx, childOf(x))
		if errors.Is(err, run.ErrNoRetry) || errors.Is(err, ErrNotFound) { // nothing else would end the step
			failed := &sdk.Problem{Code: "flow_failed", HTTPStatus: http.StatusConflict, Message: err.Error(), Effect: sdk.EffectDone, Fault: sdk.FaultCaller}
			_, again := e.apply(ctx, id, change{event: run.Event{Kind: run.Failed, Visit: x.Visit, Attempt: x.Attempt, Problem: failed}})
			err = errors.Join(err, again)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Resume makes the timers of a run due now (timeouts, delays and next attempts): those of one visit
// or, with 0, of all visits. The error is run.ErrNoResume when there are none.
func (e *Engine) Resume(ctx context.Context, id string, visit int) error {
	_, err := e.apply(ctx, id, change{event: run.Event{Kind: run.Resumed, Visit: visit}})
	return err
}
