package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// runFlow runs one flow in the foreground, tapping the buttons of --click in turn.
func runFlow(ctx context.Context, c console, args []string) error {
	flags := newFlags("run")
	hf := addHostFlags(flags)
	var clicks, assignments list
	flags.Var(&clicks, "click", "id of a `BUTTON` to tap when a message offers it; several are tapped in turn (with --simulate)")
	flags.Var(&assignments, "var", "set a variable of the flow, `NAME=VALUE`; the value is JSON unless the variable is a string")
	asJSON := flags.Bool("json", false, "print one JSON object per step")
	paths, err := parse(c, flags, args)
	if err != nil {
		return err
	}
	if len(paths) != 1 {
		return invalid("name one flow file (see tapnode run -h)")
	}
	if len(clicks) > 0 && !*hf.simulate {
		return invalid("--click needs --simulate: nobody can tap on a real phone from here")
	}
	h, err := openHost(ctx, c, flags, hf, nil, nil)
	if err != nil {
		return err
	}
	err = h.runOnce(ctx, c, paths[0], assignments, clicks, printer{c.out, *asJSON})
	return errors.Join(err, h.stop())
}

func (h *host) runOnce(ctx context.Context, c console, path string, assignments, clicks []string, out printer) error {
	program, findings, err := load(path, h.Catalogue)
	if err != nil {
		return err
	}
	printFindings(c.err, path, findings, false)
	if program == nil {
		return &exit{code: exitInvalid}
	}
	f := program.Flow()
	vars, err := variables(f, assignments)
	if err != nil {
		return err
	}
	if err := h.Deploy(ctx, program); err != nil {
		return environment(err)
	}
	if err := h.start(ctx, castOf(f, vars)); err != nil {
		return err
	}
	h.withPicture(f, vars)
	id, err := h.Engine.Run(ctx, engine.Request{Flow: f.Metadata.ID, Vars: vars})
	if err != nil {
		var bad *flow.InvalidError
		if errors.As(err, &bad) {
			return &exit{exitInvalid, err}
		}
		return err
	}
	return h.follow(ctx, id, clicks, out)
}

// follow prints the steps of a run and taps buttons, until the run is over or waits
// for a tap that nobody will make.
func (h *host) follow(ctx context.Context, id string, clicks []string, out printer) error {
	for step, err := range h.Engine.Watch(ctx, id, 0) {
		if err != nil {
			return err
		}
		if err := out.step(step); err != nil {
			return err
		}
		switch step.Kind {
		case run.TraceRunFinished:
			if step.Code != string(run.StatusSucceeded) {
				return &exit{code: exitFailed}
			}
			if len(clicks) > 0 {
				return invalid("the run ended before button %q could be tapped", clicks[0])
			}
			return nil
		case run.TraceWaitArmed:
			if h.sim == nil {
				continue
			}
			if len(clicks) == 0 {
				h.log.Debug("nothing left to tap", "node", step.Node)
				return nil
			}
			if !slices.Contains(offered(step), "reply:"+clicks[0]) {
				return invalid("node %s has no button %q; it waits for %s", step.Node, clicks[0], strings.Join(offered(step), ", "))
			}
			if err := h.tap(ctx, step.MessageID, clicks[0]); err != nil {
				return err
			}
			clicks = clicks[1:]
		}
	}
	return context.Cause(ctx)
}

func (h *host) tap(ctx context.Context, message, button string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := h.sim.Click(ctx, message, button); err != nil {
		return fmt.Errorf("tap %q: %w", button, err)
	}
	return nil
}
