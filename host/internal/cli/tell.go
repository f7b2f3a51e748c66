package cli

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// readable is how many steps a second are printed for a person, on average. Reading and printing
// all steps of a busy host costs an eighth of what the runs cost.
const readable = 1000

// tell prints the steps of all runs until ctx ends: all of them as JSON, or as many as a person can
// read.
func (h *host) tell(ctx context.Context, out printer, after uint64) error {
	shown := rate.NewLimiter(readable, 2*readable)
	for ctx.Err() == nil {
		flood := false
		for step, err := range h.Engine.Watch(ctx, "", after) {
			switch {
			case errors.Is(err, engine.ErrLagged): // the terminal was slower than the runs
				continue
			case ctx.Err() != nil:
				return nil
			case err != nil:
				h.log.Error("the steps of the runs cannot be read; trying again", "err", err)
				rest(ctx)
				continue
			}
			after = step.Sequence
			if err := out.step(step); err != nil {
				return err
			}
			if flood = !out.json && !shown.Allow(); flood {
				break
			}
		}
		if !flood {
			continue
		}
		rest(ctx)
		newest, err := h.Engine.Newest(ctx)
		if err != nil || newest <= after { // Watch reports the error
			continue
		}
		if err := out.skipped(newest - after); err != nil {
			return err
		}
		after = newest
	}
	return nil
}

// rest waits a second, or until ctx ends.
func rest(ctx context.Context) {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
