package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// ErrUnknownOperation means that no node offers the operation.
var ErrUnknownOperation = errors.New("no node offers this operation")

// Execute runs one call on the node that offers the operation. Errors are those of client.Execute
// or ErrUnknownOperation. A call that did not reach a node, because none was running before ctx
// ended, or that no node can accept, fails with a *sdk.Problem without an effect.
func (a *App) Execute(ctx context.Context, r client.Request, progress func(client.Progress)) (client.Result, error) {
	n, ok := a.byOp[r.Operation]
	if !ok {
		return client.Result{}, fmt.Errorf("%w: %s", ErrUnknownOperation, r.Operation)
	}
	ended := a.opt.Called(r.Operation)
	result, err := a.toOwner(ctx, n, r, progress)
	ended(became(err))
	return result, err
}

// Offers says whether a node has the operation.
func (a *App) Offers(operation string) bool { return a.byOp[operation] != nil }

// Validate asks the node that offers an operation what is wrong with an input. Errors are those of
// Execute.
func (a *App) Validate(ctx context.Context, operation string, input []byte) ([]sdk.Violation, []sdk.Warning, error) {
	n, ok := a.byOp[operation]
	if !ok {
		return nil, nil, fmt.Errorf("%w: %s", ErrUnknownOperation, operation)
	}
	c, err := n.Client(ctx)
	if err != nil {
		return nil, nil, unavailable(err, true)
	}
	violations, warnings, err := c.Validate(ctx, operation, input)
	return violations, warnings, refused(err)
}

func (n *node) execute(ctx context.Context, r client.Request, progress func(client.Progress)) (client.Result, error) {
	c, err := n.Client(ctx)
	if err != nil {
		return client.Result{}, unavailable(err, true)
	}
	result, err := c.Execute(ctx, r, progress)
	return result, refused(err)
}

// became returns the outcome of a call for Options.Called.
func became(err error) string {
	if err == nil {
		return "ok"
	}
	if p, ok := errors.AsType[*sdk.Problem](asProblem(err)); ok {
		return strings.ToLower(string(p.Effect))
	}
	return "unknown"
}

// refused turns an error by which the node's side rejected the request before running anything into
// a *sdk.Problem, since a retry cannot succeed.
func refused(err error) error {
	var t *client.TransportError
	if !errors.As(err, &t) {
		return err
	}
	switch t.Code {
	case codes.InvalidArgument, codes.NotFound, codes.Unimplemented:
		return &sdk.Problem{
			Code: "invalid_request", HTTPStatus: http.StatusBadRequest, Message: t.Error(),
			Effect: sdk.EffectNone, Fault: sdk.FaultCaller, Err: err,
		}
	}
	return err
}

// executor lets the engine call the nodes.
type executor struct{ app *App }

func (x executor) Execute(ctx context.Context, call engine.Call, progress func(engine.Progress)) (engine.Result, error) {
	ctx, span := x.app.traceCall(ctx, call.Operation)
	r, err := x.app.Execute(ctx, client.Request{
		Operation: call.Operation, Input: call.Input, Key: call.Key, Correlation: call.Correlation, Traceparent: span.Traceparent(),
	}, func(p client.Progress) {
		progress(engine.Progress{Stage: p.Stage, Message: p.Message, Data: []byte(p.Data)})
	})
	span.End(err)
	if err != nil {
		return engine.Result{}, asProblem(err)
	}
	return engine.Result{Output: []byte(r.Output), Warnings: r.Warnings}, nil
}

// asProblem turns a transport error into a *sdk.Problem with what is known of the call. A call that
// never reached a node had no effect, so the engine may repeat it in any case.
func asProblem(err error) error {
	var p *sdk.Problem
	var t *client.TransportError
	switch {
	case errors.As(err, &p):
		return err
	case errors.As(err, &t):
		return &sdk.Problem{
			Code: "node_lost", HTTPStatus: 503, Message: "the node did not answer: " + t.Error(),
			Effect: t.Effect(), Retryable: true, Fault: sdk.FaultNode, Err: err,
		}
	default:
		return unavailable(err, !errors.Is(err, ErrUnknownOperation))
	}
}

// unavailable is for a call that has not left this process.
func unavailable(err error, retryable bool) *sdk.Problem {
	p := &sdk.Problem{
		Code: "node_unavailable", HTTPStatus: 503, Message: err.Error(),
		Effect: sdk.EffectNone, Retryable: retryable, Fault: sdk.FaultNode, Err: err,
	}
	if retryable {
		p.RetryAfter = time.Second
	}
	return p
}
