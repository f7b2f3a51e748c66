package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// runOrder is what tapnode run is asked to do.
type runOrder struct {
	path        string
	trigger     string
	assignments []string
	acts        []act
	asked       cast
}

// runFlow runs one flow in the foreground; simulated customers do what --click and --text
// say.
func runFlow(ctx context.Context, c console, args []string) error {
	flags := newFlags("run")
	hf := addHostFlags(flags)
	var o runOrder
	acts := actFlags(flags)
	flags.StringVar(&o.trigger, "trigger", "", "start by the trigger of this `ID` instead of the first manual one")
	var assignments list
	flags.Var(&assignments, "var", "set a variable of the flow, `NAME=VALUE`; the value is JSON unless the variable is a string")
	instances, phones := castFlags(flags)
	asJSON := flags.Bool("json", false, "print one JSON object per step")
	paths, err := parse(c, flags, args)
	if err != nil {
		return err
	}
	o.assignments, o.acts, o.asked = assignments, *acts, cast{*instances, *phones}
	if len(paths) != 1 {
		return invalid("name one flow file (see tapnode run -h)")
	}
	o.path = paths[0]
	if len(o.acts) > 0 && !hf.simulated() {
		return invalid("--click and --text need --simulate: nobody can act on a real phone from here")
	}
	if err := o.asked.needs(hf); err != nil {
		return err
	}
	h, err := openHost(ctx, c, flags, hf, hostUse{flowLevel: slog.LevelError}) // the steps show what the flow logs
	if err != nil {
		return err
	}
	return errors.Join(h.runOnce(ctx, c, o, printer{w: c.out, json: *asJSON}), h.stop(nil))
}

func (h *host) runOnce(ctx context.Context, c console, o runOrder, out printer) error {
	program, findings, err := load(o.path, h.Catalogue)
	if err != nil {
		return err
	}
	printFindings(c.err, o.path, findings, false)
	if program == nil {
		return &exit{code: exitInvalid}
	}
	f := program.Flow()
	vars, err := variables(f, o.assignments)
	if err != nil {
		return err
	}
	start, err := trigger(f, o.trigger)
	if err != nil {
		return err
	}
	if err := allowed(start, vars, o.acts, h.sim != nil); err != nil {
		return err
	}
	if err := h.Deploy(ctx, program); err != nil {
		return environment(err)
	}
	named, asked := castFor(f, vars)
	asked.join(o.asked)
	there, err := h.start(ctx, c, named, asked)
	if err != nil {
		return err
	}
	if byHand(start) {
		h.withPicture(f, vars)
	}
	id, acts, err := h.begin(ctx, c, f, start, vars, o.acts, there)
	if err != nil {
		return err
	}
	return h.follow(ctx, c, program, id, acts, out)
}

// follow prints the steps of a run and performs the acts where it waits, until the run is over or
// no act is left to answer it.
func (h *host) follow(ctx context.Context, c console, p *flow.Program, id string, acts []act, out printer) error {
	messages := map[int]string{} // ids of the messages that ask, by visit
	var after uint64
	for {
		var err error
		if after, err = h.show(ctx, id, after, messages, out); err != nil {
			return err
		}
		// The state of the run is reported even after an interrupt.
		s, waits, err := h.waits(context.WithoutCancel(ctx), id, messages)
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			leave(c, p, waits, h.sim != nil)
			return context.Cause(ctx)
		case s.Status == run.StatusSucceeded && len(acts) > 0:
			return invalid("the run ended before %s", acts[0])
		case s.Status == run.StatusSucceeded:
			return nil
		case s.Status != run.StatusRunning:
			return &exit{code: exitFailed}
		case len(acts) == 0:
			leave(c, p, waits, true)
			return nil
		}
		if err := h.perform(ctx, p, acts[0], waits); err != nil {
			return err
		}
		if err := h.awaitNews(ctx, id, after); errors.Is(err, errNothing) {
			leave(c, p, waits, true)
			return fmt.Errorf("the run did not take %q within %s", acts[0].value, flow.Span(newsTimeout))
		}
		acts = acts[1:]
	}
}

// show prints the steps of a run: in a simulation until it waits for an act, otherwise all. It
// returns the sequence of the last one.
func (h *host) show(ctx context.Context, id string, after uint64, messages map[int]string, out printer) (uint64, error) {
	var steps iter.Seq2[engine.Step, error]
	if h.sim != nil {
		steps = h.Engine.ToRest(ctx, id, after)
	} else {
		steps = h.Engine.Follow(ctx, id)
	}
	for step, err := range steps {
		if err != nil {
			return after, err
		}
		after = step.Sequence
		if step.Kind == run.TraceWaitArmed {
			messages[step.Visit] = step.MessageID
		}
		if err := out.step(step); err != nil {
			return after, err
		}
	}
	return after, nil
}

// awaitNews waits for a step after a sequence. If none comes in time, it returns errNothing.
func (h *host) awaitNews(ctx context.Context, id string, after uint64) error {
	ctx, cancel := context.WithTimeoutCause(ctx, newsTimeout, errNothing)
	defer cancel()
	for _, err := range h.Engine.Watch(ctx, id, after) {
		if err == nil || errors.Is(err, engine.ErrLagged) {
			return nil
		}
	}
	return context.Cause(ctx)
}

// variables reads --var name=value. A value is JSON unless the flow says that the
// variable is a string.
func variables(f *flow.Flow, assignments []string) (map[string]any, error) {
	vars := map[string]any{}
	for _, a := range assignments {
		name, value, ok := strings.Cut(a, "=")
		if !ok {
			return nil, invalid("--var %s: want name=value", a)
		}
		property, known := properties(f)[name].(map[string]any)
		if !known {
			return nil, invalid("--var %s: the flow has no such variable; it has %s", name, strings.Join(slices.Sorted(maps.Keys(properties(f))), ", "))
		}
		vars[name] = value
		if property["type"] != "string" {
			var v any
			if err := json.Unmarshal([]byte(value), &v); err != nil {
				return nil, invalid("--var %s: %q is not JSON: %w", name, value, err)
			}
			vars[name] = v
		}
	}
	return vars, nil
}

func properties(f *flow.Flow) map[string]any {
	p, _ := f.Vars["properties"].(map[string]any)
	return p
}

// withPicture sets the variable mediaUrl to the simulation's picture, if the flow has that variable
// and it was not given.
func (h *host) withPicture(f *flow.Flow, vars map[string]any) {
	if _, given := vars["mediaUrl"]; given || h.sim == nil || properties(f)["mediaUrl"] == nil {
		return
	}
	vars["mediaUrl"] = h.sim.Picture()
}
