package cli

import (
	"context"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/host/internal/seed"
)

// openSeed prepares the part of the API that the host answers itself, and the webhooks.
func (h *host) openSeed(private bool) {
	h.events = events.New(events.Options{DB: h.runs.DB(), Told: h.runs.Told, Secret: h.secret, Private: private, Logger: h.log,
		Token: func(ctx context.Context, instance string) (string, error) { return h.seed.Token(ctx, instance) }})
	h.seed = seed.New(seed.Options{DB: h.runs.DB(), Secret: h.secret, Call: h.Execute, Hooks: h.events})
}

// stateTime bounds the storing of an instance's state.
const stateTime = 15 * time.Second

// tellState keeps the states of instances in the outbox.
func (h *host) tellState(ev engine.Outgoing) error {
	ctx, cancel := context.WithTimeout(context.Background(), stateTime)
	defer cancel()
	return h.runs.Tell(ctx, ev)()
}
