package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/sdk"
)

// maxNesting is how deep runs that begin other runs may be nested.
const maxNesting = 10

// family adds the tasks that connect a run with the runs it began: a run that is over reports to
// the run that waits for it, and a run that ends early cancels the runs it waits for.
func (b *Batch) family(p *flow.Program, before, after run.State, now time.Time) {
	if !over(after) {
		return
	}
	if up := after.Parent; up != nil && !over(before) {
		b.Tasks = append(b.Tasks, Task{ID: after.Run + ":" + string(TaskReturn), Run: up.Run, Kind: TaskReturn, Visit: up.Visit, Due: now})
	}
	for _, next := range before.Pending() {
		if x, _, ok := before.Call(p, next.Visit, next.Attempt); ok && next.Kind == run.PendingCall && x.Operation == flow.OperationFlow {
			child := childOf(x)
			b.Tasks = append(b.Tasks, Task{ID: child + ":" + string(TaskAbort), Run: child, Kind: TaskAbort, Due: now})
		}
	}
}

// childOf is the id of the run that a step of type flow begins.
func childOf(x run.Execute) string { return runOf(x.Key, flow.OperationFlow) }

// beginChild begins the run that a step of type flow stands for. The step ends when that run is
// over; until then it needs no task.
func (e *Engine) beginChild(ctx context.Context, s run.State, x run.Execute, t Task) error {
	depth := 1
	if s.Parent != nil {
		depth += s.Parent.Depth
	}
	name, _ := x.Input["flow"].(string)
	vars, _ := x.Input["vars"].(map[string]any)
	p, err := e.other(ctx, s, name, x.Input["version"] == "pinned")
	if err != nil && !errors.Is(err, ErrUnknownFlow) {
		return err
	}
	trigger, bad := subflow(p, name, depth)
	if bad == nil {
		_, err := e.begin(ctx, p, childOf(x), change{event: run.Event{Kind: run.Started, Trigger: trigger, Trial: s.Trial, Vars: vars,
			Parent: &run.Parent{Run: s.Run, Visit: x.Visit, Depth: depth}}})
		if err == nil || errors.Is(err, ErrConflict) { // it has begun, now or before
			return e.log.Drop(ctx, t)
		}
		if bad = refusedChild(name, err); bad == nil {
			return err
		}
	}
	_, err = e.apply(ctx, s.Run, change{event: run.Event{Kind: run.Failed, Visit: x.Visit, Attempt: x.Attempt, Problem: bad}, ends: t})
	return err
}

// pins returns the digest of the published version of each flow that a program runs with a pinned
// version.
func (e *Engine) pins(p *flow.Program) map[string]string {
	var out map[string]string
	for _, n := range p.Flow().Nodes {
		name, _ := n.With["flow"].(string)
		if n.Type != flow.OperationFlow || n.With["version"] != "pinned" {
			continue
		}
		if other := e.served.Load().byFlow[name]; other != nil {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = other.Flow().Digest
		}
	}
	return out
}

// other is the program of the flow that a step of a run names; nil if the flow is not published. A
// pinned version was chosen when the run began.
func (e *Engine) other(ctx context.Context, s run.State, name string, pinned bool) (*flow.Program, error) {
	if !pinned {
		return e.served.Load().byFlow[name], nil
	}
	if s.Pins[name] == "" {
		return nil, ErrUnknownFlow
	}
	return e.program(ctx, s.Pins[name])
}

// subflow finds the trigger of type flow, or says why the flow cannot be run from another.
func subflow(p *flow.Program, name string, depth int) (trigger string, bad *sdk.Problem) {
	refuse := func(code, format string, args ...any) (string, *sdk.Problem) {
		return "", &sdk.Problem{Code: code, HTTPStatus: http.StatusUnprocessableEntity, Message: fmt.Sprintf(format, args...),
			Effect: sdk.EffectNone, Fault: sdk.FaultCaller}
	}
	if depth > maxNesting {
		return refuse("too_deep", "flows begin each other %d deep; the limit is %d", depth, maxNesting)
	}
	if p == nil {
		return refuse("unknown_flow", "no flow %q is published", name)
	}
	triggers := p.Flow().Triggers
	i := slices.IndexFunc(triggers, func(t flow.Trigger) bool { return t.Type == flow.TriggerFlow })
	if i < 0 {
		return refuse("not_a_subflow", "flow %q has no trigger of type flow", name)
	}
	return triggers[i].ID, nil
}

// refusedChild is the problem that a step fails with when its run could not begin; nil if the task
// is to be repeated instead.
func refusedChild(name string, err error) *sdk.Problem {
	var invalid *flow.InvalidError
	var claimed *ClaimedError
	p := &sdk.Problem{HTTPStatus: http.StatusUnprocessableEntity, Effect: sdk.EffectNone, Fault: sdk.FaultCaller, Err: err,
		Message: fmt.Sprintf("flow %s: %v", name, err)}
	switch {
	case errors.As(err, &invalid):
		p.Code = "invalid_variables"
	case errors.As(err, &claimed):
		p.Code = "ignored"
	case errors.Is(err, errKey):
		p.Code = "bad_key"
	case errors.Is(err, ErrFull):
		p.Code, p.HTTPStatus, p.Retryable, p.Fault = "full", http.StatusServiceUnavailable, true, sdk.FaultNode
	default:
		return nil
	}
	return p
}

// abort cancels a run that its parent no longer waits for. A run that is over stays as it is: its
// end may be what ended the parent.
func (e *Engine) abort(ctx context.Context, t Task) error {
	s, err := e.State(ctx, t.Run)
	if err != nil {
		return err
	}
	if over(s) {
		return e.log.Drop(ctx, t)
	}
	_, err = e.apply(ctx, t.Run, change{event: run.Event{Kind: run.Cancelled, Reason: "the run that began it is over"}, ends: t})
	return err
}

// childOver tells a run that the run which one of its visits began is over.
func (e *Engine) childOver(ctx context.Context, t Task) error {
	s, err := e.State(ctx, t.Run)
	if err != nil {
		return err
	}
	p, err := e.pinned(ctx, s)
	if err != nil {
		return err
	}
	attempt := 0
	for _, next := range s.Pending() {
		if next.Visit == t.Visit && next.Kind == run.PendingCall {
			attempt = next.Attempt
		}
	}
	x, _, ok := s.Call(p, t.Visit, attempt)
	if !ok || x.Operation != flow.OperationFlow {
		return e.log.Drop(ctx, t)
	}
	child, err := e.State(ctx, childOf(x))
	out := run.Event{Kind: run.Failed, Visit: x.Visit, Attempt: x.Attempt}
	switch {
	case errors.Is(err, ErrNotFound):
		out.Problem = &sdk.Problem{Code: "forgotten", HTTPStatus: http.StatusGone, Message: "the run of the other flow is not kept any more",
			Effect: sdk.EffectUnknown, Fault: sdk.FaultNode}
	case err != nil:
		return err
	case !over(child): // a late answer has reopened it
		return e.log.Drop(ctx, t)
	case child.Status == run.StatusSucceeded:
		out.Kind, out.Data = run.Succeeded, map[string]any{"run": child.Run, "vars": orEmpty(child.Vars), "outputs": orEmpty(child.Outputs)}
	default:
		out.Problem = &sdk.Problem{Code: "flow_failed", HTTPStatus: http.StatusBadGateway, Effect: sdk.EffectDone, Fault: sdk.FaultCaller,
			Message: fmt.Sprintf("run %s of flow %s %s", child.Run, child.Flow, child.Status)}
		if child.Error != nil {
			out.Problem.Message += ": " + child.Error.Message
		}
	}
	_, err = e.apply(ctx, t.Run, change{event: out, ends: t})
	return err
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
