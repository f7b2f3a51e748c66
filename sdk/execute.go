package sdk

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// Execute runs one call in a goroutine of its own, so that a call that ignores its context cannot
// block its caller.
func (s *server) Execute(req *nodepb.ExecuteRequest, stream nodepb.NodeService_ExecuteServer) error {
	op, err := s.lookup(req.GetOperation())
	if err != nil {
		return err
	}
	if err := checkExecute(op, req); err != nil {
		return err
	}
	key := req.GetIdempotencyKey()
	if key == "" {
		key = rand.Text()
	}
	ctx, running, err := s.life.begin(stream.Context(), key)
	if err != nil {
		return err
	}
	out := newReport()
	call := &Call{
		Operation: op.manifest.ID, Key: key, Correlation: req.GetCorrelation(), DryRun: req.GetDryRun(),
		Traceparent: req.GetTraceparent(), LeaseEpoch: req.GetLeaseEpoch(), sink: out,
	}
	done := make(chan *nodepb.ExecuteResponse, 1)
	go func() {
		defer s.life.working.done()
		done <- out.complete(op.attempt(ctx, call, req.GetInput()))
	}()
	last, err := deliver(ctx, stream, out, done)
	s.life.finish(running, last.GetFailed().GetCode() == codeCancelled && errors.Is(context.Cause(ctx), errCut))
	return err
}

// checkExecute refuses requests that break the contract, before anything runs.
func checkExecute(op *operation, req *nodepb.ExecuteRequest) error {
	switch {
	case op.manifest.Kind == KindTrigger:
		return status.Errorf(codes.InvalidArgument, "%s is a trigger; use Subscribe", op.manifest.ID)
	case len(req.GetIdempotencyKey()) > 255:
		return status.Error(codes.InvalidArgument, "idempotency_key is longer than 255 bytes")
	case len(req.GetCorrelation()) > 1024:
		return status.Error(codes.InvalidArgument, "correlation is longer than 1 KiB")
	case len(req.GetTraceparent()) > 255:
		return status.Error(codes.InvalidArgument, "traceparent is longer than 255 bytes")
	}
	return nil
}

// deliver sends progress as it arrives and then the completion, all from one goroutine.
func deliver(ctx context.Context, stream nodepb.NodeService_ExecuteServer, out *report, done <-chan *nodepb.ExecuteResponse) (*nodepb.ExecuteResponse, error) {
	var last *nodepb.ExecuteResponse
	for last == nil {
		select {
		case <-out.wake:
			if err := out.flush(stream); err != nil {
				return nil, err
			}
		case last = <-done:
		case <-ctx.Done():
			last = late(ctx, done)
		}
	}
	if err := out.flush(stream); err != nil {
		return last, err
	}
	return last, stream.Send(last)
}

// late gives a cancelled call a moment to return its own result.
func late(ctx context.Context, done <-chan *nodepb.ExecuteResponse) *nodepb.ExecuteResponse {
	timer := time.NewTimer(cutGrace)
	defer timer.Stop()
	select {
	case last := <-done:
		return last
	case <-timer.C:
		return failed(cancelled(ctx))
	}
}

// attempt runs a call from its input to its outcome.
func (op *operation) attempt(ctx context.Context, call *Call, input []byte) (output []byte, warnings []Warning, problem *Problem) {
	in, violations, warnings, err := op.examine(input)
	switch {
	case err != nil:
		problem = problemOf(err)
	case len(violations) > 0:
		return nil, nil, Invalid(violations...)
	case ctx.Err() != nil:
		problem = cancelled(ctx)
	case call.DryRun && op.preview == nil:
		problem = &Problem{
			Code: "dry_run_unsupported", HTTPStatus: http.StatusNotImplemented, Fault: FaultCaller,
			Message: op.manifest.ID + " cannot be tried without acting; call it without dry_run",
		}
	case call.DryRun:
		output, problem = op.perform(ctx, call, in, op.preview)
	default:
		if output, problem = op.perform(ctx, call, in, op.run); op.manifest.Replay != Pure {
			return output, warnings, problem
		}
	}
	if problem != nil {
		problem.Effect = EffectNone // nothing ran, or nothing that has an effect
	}
	return output, warnings, problem
}

// perform runs work and encodes its result. The two are guarded separately, because once work has
// returned the effect is known.
func (op *operation) perform(ctx context.Context, call *Call, in any, work func(context.Context, *Call, any) (any, error)) (output []byte, problem *Problem) {
	var result any
	err := guard(op.manifest.ID, func() (err error) {
		result, err = work(ctx, call, in)
		return err
	})
	if err != nil {
		return nil, op.failure(ctx, err)
	}
	err = guard("output of "+op.manifest.ID, func() (err error) {
		output, err = encode(result)
		return err
	})
	if err != nil {
		problem = op.failure(ctx, fmt.Errorf("the output of %s cannot be written: %w", op.manifest.ID, err))
		problem.Effect = EffectDone
	}
	return output, problem
}

// failure turns the error of a call into a Problem, and logs those that only the node can fix.
func (op *operation) failure(ctx context.Context, err error) *Problem {
	_, precise := errors.AsType[*Problem](err)
	if ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded); ended && !precise && ctx.Err() != nil {
		return cancelled(ctx)
	}
	p := problemOf(err)
	if p.Fault == FaultNode {
		slog.Error("call failed", "operation", op.manifest.ID, "code", p.Code, "error", p.Message, "cause", p.Err)
	}
	return p
}

// encode encodes an output as JSON. Output that is JSON already is passed on unchecked.
func encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case JSON:
		return v, nil
	case json.RawMessage:
		return v, nil
	}
	return json.Marshal(v)
}

// guard turns a panic of the author's code into an error.
func guard(what string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			slog.Error("panic in "+what, "panic", r, "stack", string(debug.Stack()))
			err = &Problem{
				Code: "panic", HTTPStatus: http.StatusInternalServerError, Effect: EffectUnknown, Fault: FaultNode,
				Message: "the node panicked in " + what + "; its log has the stack",
			}
		}
	}()
	return f()
}

// fits reports whether a response stays within the contract's message limit.
func fits(resp *nodepb.ExecuteResponse) bool { return proto.Size(resp) <= MaxMessage }
