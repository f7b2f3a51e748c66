package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// hookEvent is the type of the event for a call of a webhook.
const hookEvent = "webhook.received.v1"

// respond is the step that answers the call which began its run.
const respond = "respond@1"

// Hook is a trigger that starts runs when its address is called.
type Hook struct {
	*flow.Webhook
	trigger trigger
}

// Responds says whether the flow has a step that answers the call.
func (h Hook) Responds() bool {
	for _, n := range h.trigger.program.Flow().Nodes {
		if n.Type == respond {
			return true
		}
	}
	return false
}

// Hooks returns the hooks at a path, sorted by method. Of two flows with the same path and method,
// the one whose id comes first in the alphabet gets the calls.
func (e *Engine) Hooks(path string) []Hook { return e.served.Load().hooks[path] }

// Invoke starts the run of a call. All calls with the same key start one run; without a key each
// call starts its own. ErrBadEvent means that the call is too large, and nothing of it is kept.
func (e *Engine) Invoke(ctx context.Context, h Hook, key string, data map[string]any) (Delivered, error) {
	if size := flow.Size(data); size > maxEvent {
		return Delivered{}, fmt.Errorf("%w: it has about %d bytes; the limit is %d", ErrBadEvent, size, maxEvent)
	}
	ev := Event{ID: "webhook " + key, Type: hookEvent, decoded: data, For: h.trigger.name()}
	if key == "" {
		ev.ID, ev.once = ev.ID+rand.Text(), true
	}
	return e.Deliver(ctx, ev)
}

// RunOf is the id of the run that an Invoke with the key, which must not be empty, has started or
// would start.
func (h Hook) RunOf(key string) string {
	return runOf("webhook "+key, h.trigger.program.Flow().Metadata.ID, h.trigger.ID)
}

// Response waits for the output of a run's respond@1 step. ok is false when there is none yet and
// nothing more happens by itself, or when the run is over without one.
func (e *Engine) Response(ctx context.Context, id string) (output any, ok bool, err error) {
	for step, err := range e.ToRest(ctx, id, 0) {
		if err != nil {
			return nil, false, err
		}
		if step.Kind == run.TraceNodeSucceeded && step.Operation == respond {
			s, err := e.State(ctx, id) // a Step lacks secrets and large data, the state does not
			return s.Outputs[step.Node], err == nil, err
		}
	}
	return nil, false, errors.Join(ctx.Err())
}

// responseIn is the output of a respond@1 step among the effects of a change.
func responseIn(effects []run.Effect) any {
	for _, x := range effects {
		if t, ok := x.(run.Trace); ok && t.Kind == run.TraceNodeSucceeded && t.Operation == respond {
			return t.Data
		}
	}
	return nil
}
