package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/sdk"
)

// Executor makes calls of operations that live outside the host.
type Executor interface {
	// Execute makes one call; ctx carries its deadline. progress may be called until Execute
	// returns. It returns a *sdk.Problem to say exactly what failed; any other error counts as a
	// fault of the node that may pass, with an unknown effect.
	Execute(ctx context.Context, call Call, progress func(Progress)) (Result, error)
}

// Builtin is an operation that lives inside the host. If its replay class is
// PURE it runs between two steps of the interpreter and must return at once.
type Builtin interface {
	Operation() flow.Operation
	// Execute makes one call. key is its idempotency key, the same for every attempt.
	Execute(ctx context.Context, key string, input map[string]any) (any, error)
}

// builtin is a Builtin with those of its properties that are needed all the time.
type builtin struct {
	Builtin
	id   string
	pure bool
}

// RunKeys is the prefix of the idempotency key of every call that a run makes. Callers from outside
// may not use it: the keys of a run can be guessed, and a key that somebody else has used blocks
// the step.
const RunKeys = "run:"

// Call is one call of an operation.
type Call struct {
	Operation   string
	Input       json.RawMessage
	Key         string // idempotency key
	Correlation string // comes back on every event that answers the call
}

// Progress is news from a running call.
type Progress struct {
	Stage   string
	Message string
	Data    json.RawMessage
}

// Result is the outcome of a successful call.
type Result struct {
	Output   json.RawMessage // an object; may be empty
	Warnings []sdk.Warning
}

// call makes a call, built-in or remote, and returns its outcome as an event for the interpreter.
func (e *Engine) call(ctx context.Context, x run.Execute, progress func(Progress)) run.Event {
	ctx, cancel := context.WithTimeout(ctx, x.Deadline)
	defer cancel()
	var data any
	var warnings []sdk.Warning
	var err error
	if b, ok := e.builtins[x.Operation]; ok {
		data, err = runBuiltin(ctx, b, RunKeys+x.Key, x.Input)
	} else {
		data, warnings, err = e.remote(ctx, x, progress)
	}
	if err != nil {
		return run.Event{Kind: run.Failed, Visit: x.Visit, Attempt: x.Attempt, Problem: problem(ctx, err)}
	}
	return run.Event{Kind: run.Succeeded, Visit: x.Visit, Attempt: x.Attempt, Data: data, Warnings: warnings}
}

func (e *Engine) remote(ctx context.Context, x run.Execute, progress func(Progress)) (any, []sdk.Warning, error) {
	input, err := json.Marshal(x.Input)
	if err != nil {
		return nil, nil, fmt.Errorf("input of %s: %w", x.Operation, err)
	}
	r, err := e.exec.Execute(ctx, Call{Operation: x.Operation, Input: input, Key: RunKeys + x.Key, Correlation: x.Correlation}, progress)
	if err != nil {
		return nil, nil, err
	}
	if len(r.Output) == 0 {
		return map[string]any{}, r.Warnings, nil
	}
	data, err := flow.DecodeJSON(r.Output)
	if err != nil {
		return nil, nil, &sdk.Problem{Code: "bad_output", HTTPStatus: http.StatusBadGateway, Effect: sdk.EffectDone, Fault: sdk.FaultNode,
			Message: fmt.Sprintf("%s answered something that is not JSON: %v", x.Operation, err)}
	}
	return data, r.Warnings, nil
}

// runBuiltin turns a panic into a failure, and the output into plain JSON.
func runBuiltin(ctx context.Context, b builtin, key string, input map[string]any) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &sdk.Problem{Code: "panic", HTTPStatus: http.StatusInternalServerError, Effect: sdk.EffectUnknown, Fault: sdk.FaultNode,
				Message: fmt.Sprintf("%s panicked: %v", b.id, p), Err: fmt.Errorf("%v\n%s", p, debug.Stack())}
		}
	}()
	v, err := b.Execute(ctx, key, input)
	if err != nil {
		return nil, err
	}
	if out, err = flow.Plain(v); err != nil {
		return nil, fmt.Errorf("output of %s: %w", b.id, err)
	}
	return out, nil
}

// problem turns every error into the form of the contract's Failed.
func problem(ctx context.Context, err error) *sdk.Problem {
	if p, ok := errors.AsType[*sdk.Problem](err); ok {
		return p
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return &sdk.Problem{Code: "deadline_exceeded", HTTPStatus: http.StatusGatewayTimeout, Effect: sdk.EffectUnknown, Retryable: true,
			Fault: sdk.FaultNode, Message: "the call took longer than its deadline", Err: err}
	}
	return &sdk.Problem{Code: "internal", HTTPStatus: http.StatusInternalServerError, Effect: sdk.EffectUnknown, Retryable: true,
		Fault: sdk.FaultNode, Message: err.Error(), Err: err}
}

// origin is the step and the run that a call belongs to.
type origin struct{ flow, run, node string }

type originKey struct{}

// from adds the origin of a call to its context, for log lines.
func from(ctx context.Context, s run.State, x run.Execute) context.Context {
	return context.WithValue(ctx, originKey{}, origin{s.Flow, s.Run, x.Node})
}

// Origin returns the flow, the run and the node that a call belongs to; all are empty for a call
// that no run makes.
func Origin(ctx context.Context) (flow, run, node string) {
	o, _ := ctx.Value(originKey{}).(origin)
	return o.flow, o.run, o.node
}

// LogOrigin wraps a handler for the log lines of built-in nodes: it adds the flow, the run and the
// node to each line.
func LogOrigin(h slog.Handler) slog.Handler { return originHandler{h} }

type originHandler struct{ slog.Handler }

func (h originHandler) Handle(ctx context.Context, r slog.Record) error {
	if o, ok := ctx.Value(originKey{}).(origin); ok {
		r = r.Clone()
		r.AddAttrs(slog.String("flow", o.flow), slog.String("run", o.run), slog.String("node", o.node))
	}
	return h.Handler.Handle(ctx, r)
}

func (h originHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return originHandler{h.Handler.WithAttrs(attrs)}
}

func (h originHandler) WithGroup(name string) slog.Handler {
	return originHandler{h.Handler.WithGroup(name)}
}
