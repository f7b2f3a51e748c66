package node

import (
	"context"

	"github.com/tapnode/tapnode/internal/tracing"
	"github.com/tapnode/tapnode/sdk"
)

// traced runs a call in a span below the caller's, which the menu it sends remembers: a click
// on it continues the trace.
func traced[In any](operation string, run func(context.Context, *sdk.Call, In) (sdk.JSON, error)) func(context.Context, *sdk.Call, In) (sdk.JSON, error) {
	return func(ctx context.Context, call *sdk.Call, in In) (out sdk.JSON, err error) {
		ctx, span := tracing.Begin(ctx, "execute "+operation, call.Traceparent, "tapnode.operation", operation)
		defer func() { span.End(err) }()
		call.Traceparent = span.Traceparent()
		return run(ctx, call, in)
	}
}
