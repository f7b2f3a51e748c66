package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// Request starts a run by hand or over HTTP.
type Request struct {
	// Flow is the id of a deployed flow.
	Flow string
	// Trigger is one of its triggers; empty: the first of type manual.
	Trigger string
	// Vars override the defaults of the flow.
	Vars map[string]any
	// Data is the event that expressions see. May be nil.
	Data any
	// Key makes the request idempotent: the same key starts one run. May be empty.
	Key string

	cursor Cursor // stored with the run
}

// Run starts a run and returns its id. The error is a *flow.InvalidError when
// the variables do not fit, ErrUnknownFlow, or one of the Log. With a Key that
// was used before it returns the id of that run, or ErrKeyUsed if that one was asked for
// with other variables or data.
func (e *Engine) Run(ctx context.Context, r Request) (string, error) {
	p, ok := e.served.Load().byFlow[r.Flow]
	if !ok {
		return "", fmt.Errorf("flow %q: %w", r.Flow, ErrUnknownFlow)
	}
	if r.Trigger == "" {
		for _, t := range p.Flow().Triggers {
			if t.Type == flow.TriggerManual {
				r.Trigger = t.ID
				break
			}
		}
		if r.Trigger == "" {
			return "", fmt.Errorf("flow %q has no manual trigger; name one", r.Flow)
		}
	}
	id := "r" + strings.ToLower(rand.Text())
	if r.Key != "" {
		id = runOf(r.Key, r.Flow, r.Trigger)
	}
	wanted, err := r.fingerprint()
	if err != nil {
		return "", err
	}
	_, err = e.begin(ctx, p, id, change{cursor: r.cursor, event: run.Event{Kind: run.Started, ID: wanted, Trigger: r.Trigger, Vars: r.Vars, Data: r.Data}})
	if r.Key == "" || !errors.Is(err, ErrConflict) {
		return id, err
	}
	s, err := e.State(ctx, id)
	if err != nil {
		return "", err
	}
	if s.Request != wanted {
		return "", fmt.Errorf("run %s: %w", id, ErrKeyUsed)
	}
	return id, nil
}

// fingerprint is the same for requests that ask for the same; empty without a Key, since
// nobody will ask again.
func (r Request) fingerprint() (string, error) {
	if r.Key == "" {
		return "", nil
	}
	vars := r.Vars
	if vars == nil {
		vars = map[string]any{}
	}
	src, err := json.Marshal([]any{vars, r.Data}) // with the members in order
	if err != nil {
		return "", fmt.Errorf("the request is not JSON: %w", err)
	}
	sum := sha256.Sum256(src)
	return hex.EncodeToString(sum[:]), nil
}

// runOf derives a run's id, so that the same cause gives the same run.
func runOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return "e" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:16])[:26])
}
