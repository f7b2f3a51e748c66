package app

import (
	"context"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/internal/tracing"
	"github.com/tapnode/tapnode/sdk"
)

// traceCall begins the span of a call that a run makes, in the run's trace. Without tracing, the
// span is empty.
func (a *App) traceCall(ctx context.Context, operation string) (context.Context, tracing.Span) {
	if !a.opt.Traced {
		return ctx, tracing.Span{}
	}
	flow, id, node := engine.Origin(ctx)
	return tracing.Begin(ctx, "call "+operation, tracing.Of(id), "tapnode.flow", flow, "tapnode.run", id, "tapnode.node", node)
}

// traceEvent begins the span of handling an event, as a child of the span that led to the event.
func (a *App) traceEvent(ctx context.Context, ev sdk.Event) (context.Context, tracing.Span) {
	if !a.opt.Traced || ev.Traceparent == "" {
		return ctx, tracing.Span{}
	}
	return tracing.Begin(ctx, "event "+ev.Type, ev.Traceparent, "tapnode.event", ev.ID)
}

// tracedLog records the first span of each run, the parent of its calls' spans.
type tracedLog struct {
	engine.Log
}

// Append implements engine.Log.
func (l tracedLog) Append(ctx context.Context, b engine.Batch) (uint64, error) {
	revision, err := l.Log.Append(ctx, b)
	if err != nil {
		return revision, err
	}
	for _, s := range b.Steps {
		if s.Kind == run.TraceRunStarted {
			tracing.Mark(ctx, s.Run, "run "+s.Flow, s.Time, "tapnode.flow", s.Flow, "tapnode.run", s.Run)
		}
	}
	return revision, nil
}
