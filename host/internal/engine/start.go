package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// Request asks for a run, by hand or over HTTP.
type Request struct {
	// Flow is the id of a flow.
	Flow string
	// Version is the number of a version; 0: the published one. A run of any other version, such as
	// the draft, is a trial.
	Version int
	// Trigger is the id of one of its triggers; empty: the first of type manual.
	Trigger string
	// Vars override the defaults of the flow.
	Vars map[string]any
	// Data is the event data that expressions see, in the form of the trigger's events. May be nil.
	Data any
	// Key makes the request idempotent: the same key starts one run. May be empty.
	Key string
}

// Run starts a run and returns its id. The error is an *UnfitError when the version cannot run, and
// another *flow.InvalidError when the variables do not fit or, with ErrBadEvent, when the trigger
// or its event does not. Otherwise it is ErrUnknownFlow or an error of the Log. With a Key that was
// used before, Run returns the id of that run, or ErrKeyUsed if the earlier request was a different
// one.
func (e *Engine) Run(ctx context.Context, r Request) (string, error) {
	p, trial, err := e.wanted(ctx, r)
	if err != nil {
		return "", err
	}
	wanted, err := r.fingerprint()
	if err != nil {
		return "", err
	}
	id := newRun(now())
	if r.Key != "" {
		id = runOf(r.Key, r.Flow, manual(cmp.Or(e.served.Load().byFlow[r.Flow], p)))
	}
	if r.Trigger == "" {
		if r.Trigger = manual(p); r.Trigger == "" {
			return "", badEvent("/trigger", "no_manual_trigger", "name one", "flow %s has no trigger of type manual", r.Flow)
		}
	}
	if err := takes(p, r.Trigger, r.Data); err != nil {
		return "", err
	}
	_, err = e.begin(ctx, p, id, change{event: run.Event{Kind: run.Started, ID: wanted, Trigger: r.Trigger, Trial: trial, Vars: r.Vars, Data: r.Data}})
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

// manual is the first trigger of type manual; empty if there is none.
func manual(p *flow.Program) string {
	for _, t := range p.Flow().Triggers {
		if t.Type == flow.TriggerManual {
			return t.ID
		}
	}
	return ""
}

// fingerprint is the same for requests that ask for the same thing; empty without a Key, because
// such a request cannot be repeated.
func (r Request) fingerprint() (string, error) {
	if r.Key == "" {
		return "", nil
	}
	vars := r.Vars
	if vars == nil {
		vars = map[string]any{}
	}
	asked := []any{vars, r.Data}
	if r.Trigger != "" || r.Version != 0 {
		asked = append(asked, r.Trigger, r.Version)
	}
	src, err := json.Marshal(asked) // with the members in order
	if err != nil {
		return "", fmt.Errorf("the request is not JSON: %w", err)
	}
	sum := sha256.Sum256(src)
	return hex.EncodeToString(sum[:]), nil
}

// ordered encodes bytes so that the texts sort as the bytes do.
var ordered = base32.NewEncoding("234567abcdefghijklmnopqrstuvwxyz").WithPadding(base32.NoPadding)

// newRun makes the id of a run that cannot be requested twice: the time in milliseconds and 80
// random bits. Runs that begin together are neighbours in the indexes of a Log, which then writes
// few pages for many runs.
func newRun(at time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // never fails
	return "r" + ordered.EncodeToString(b[:])
}

// runOf derives a run's id, so that the same cause gives the same run.
func runOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return "e" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:16])[:26])
}
