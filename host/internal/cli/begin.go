package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// triggerWritten is the type of trigger that a simulated customer can fire.
const triggerWritten = "whatsapp.messageReceived@1"

// trigger finds the trigger to start the run with: the named one, or else the first manual one.
func trigger(f *flow.Flow, name string) (flow.Trigger, error) {
	var ids []string
	for _, t := range f.Triggers {
		if t.ID == name || name == "" && t.Type == flow.TriggerManual {
			return t, nil
		}
		ids = append(ids, t.ID)
	}
	if name == "" {
		return flow.Trigger{}, invalid("flow %s has no manual trigger; name one with --trigger: %s", f.Metadata.ID, strings.Join(ids, ", "))
	}
	return flow.Trigger{}, invalid("flow %s has no trigger %.80q: %s", f.Metadata.ID, name, flow.DidYouMean(name, ids))
}

// byHand reports whether the command itself starts the run, not an event.
func byHand(t flow.Trigger) bool {
	return t.Type == flow.TriggerManual || t.Type == flow.TriggerHTTP || t.Type == flow.TriggerFlow
}

// allowed refuses arguments that do not fit the trigger, before anything is started.
func allowed(t flow.Trigger, vars map[string]any, acts []act, simulated bool) error {
	switch {
	case byHand(t):
		return nil
	case t.Type == flow.TriggerWebhook || t.Type == flow.TriggerSchedule:
		return invalid("trigger %s starts runs of a host that goes on running: use tapnode serve, or give the flow a manual trigger for trying it", t.ID)
	case len(vars) > 0:
		return invalid("--var does not go with trigger %s: an event of %s starts it and brings the variables", t.ID, t.Type)
	case simulated && t.Type != triggerWritten:
		return invalid("trigger %s starts by %s, which needs a message sent before; tapnode serve --simulate keeps running for that", t.ID, t.Type)
	case simulated && (len(acts) == 0 || acts[0].tap):
		return invalid("trigger %s starts by a message: say what the customer writes, with --text WORDS first", t.ID)
	}
	return nil
}

// begin starts the run, or has a customer write the message that starts it, or waits for an event
// that does. It returns the id of the run and the remaining acts.
func (h *host) begin(ctx context.Context, c console, f *flow.Flow, t flow.Trigger, vars map[string]any, acts []act, there cast) (string, []act, error) {
	if byHand(t) {
		id, err := h.Engine.Run(ctx, engine.Request{Flow: f.Metadata.ID, Trigger: t.ID, Vars: vars})
		if _, bad := errors.AsType[*flow.InvalidError](err); bad {
			err = &exit{exitInvalid, err}
		}
		return id, acts, err
	}
	if h.sim == nil {
		fmt.Fprintf(c.err, "waits for an event of %s that starts trigger %s\n", t.Type, t.ID)
		id, err := h.started(ctx, f, t)
		return id, acts, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, newsTimeout, errNothing)
	defer cancel()
	if err := h.sim.Write(ctx, there.somebody(), startInstance(t, there), acts[0].value); err != nil {
		return "", nil, fmt.Errorf("write %q: %w", acts[0].value, err)
	}
	id, err := h.started(ctx, f, t)
	if errors.Is(err, errNothing) {
		err = fmt.Errorf("trigger %s did not start a run within %s of %q: look at its filter and condition", t.ID, flow.Span(newsTimeout), acts[0].value)
	}
	return id, acts[1:], err
}

// startInstance is the instance to write to: one that the trigger's filter names, or any.
func startInstance(t flow.Trigger, there cast) string {
	filter := cast{}
	filter.read(t.With, nil)
	return slices.Concat(filter.instances, there.instances)[0]
}

// started waits for a run of the trigger.
func (h *host) started(ctx context.Context, f *flow.Flow, t flow.Trigger) (string, error) {
	for step, err := range h.Engine.Watch(ctx, "", 0) {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return "", err
		}
		if step.Kind != run.TraceRunStarted || step.Flow != f.Metadata.ID {
			continue
		}
		if s, err := h.Engine.State(ctx, step.Run); err == nil && s.Trigger == t.ID {
			return step.Run, nil
		}
	}
	return "", context.Cause(ctx)
}
