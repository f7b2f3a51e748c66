package engine

import (
	"context"

	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// Retry lets a run that failed go on at the node it failed at. The error is run.ErrNoRetry
// when there is no such node.
func (e *Engine) Retry(ctx context.Context, id string) error {
	_, err := e.apply(ctx, id, change{event: run.Event{Kind: run.Retried}})
	return err
}

// Resume makes due now what a run waits for by time: a timeout, a delay, the next attempt; of
// one visit, or with 0 of all. The error is run.ErrNoResume when there is nothing.
func (e *Engine) Resume(ctx context.Context, id string, visit int) error {
	_, err := e.apply(ctx, id, change{event: run.Event{Kind: run.Resumed, Visit: visit}})
	return err
}
