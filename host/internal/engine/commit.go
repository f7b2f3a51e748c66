package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/host/internal/storedjson"
)

// maxConflicts is how often a change is computed again before the caller gets ErrConflict. Only
// hosts race each other here, and such races settle at once.
const maxConflicts = 20

// errBroken is a stored run that cannot be read.
var errBroken = errors.New("the stored run cannot be read")

// change is an event on its way into a run.
type change struct {
	event  run.Event
	ends   Task   // the task that led to it, if any
	cursor Cursor // the position after the event, if it came from a subscription
	claim  string // of a new run; see Batch
	turn   Turn
}

// apply applies an event to a run: it loads the run, applies the event and appends the outcome, and
// starts over if the run has changed meanwhile. It returns the effects.
func (e *Engine) apply(ctx context.Context, id string, c change) ([]run.Effect, error) {
	defer e.exclusive(id)()
	for range maxConflicts {
		r, known := e.hot.find(id)
		if !known {
			var err error
			if r, err = e.load(ctx, id); err != nil {
				return nil, err
			}
		}
		p, err := e.pinned(ctx, r.state)
		if errors.Is(err, ErrUnknownFlow) && r.state.Took(c.event.ID) {
			return nil, fmt.Errorf("run %s: %w", id, run.ErrSeen) // it was applied by a host that can run the version
		}
		if err != nil {
			return nil, err
		}
		effects, err := e.commit(ctx, p, r.state, r.revision, c)
		if known && (err != nil || declined(effects)) {
			e.hot.forget(id) // nothing was stored, so nothing has confirmed that this was the newest state
			continue
		}
		if !errors.Is(err, ErrConflict) {
			return effects, err
		}
	}
	return nil, fmt.Errorf("run %s: %w, %d times in a row", id, ErrConflict, maxConflicts)
}

// load reads a run.
func (e *Engine) load(ctx context.Context, id string) (hotRun, error) {
	rec, err := e.log.Load(ctx, id)
	if err != nil {
		return hotRun{}, fmt.Errorf("run %s: %w", id, err)
	}
	s, err := decodeState(rec.State)
	return hotRun{state: s, revision: rec.Revision}, err
}

// exclusive locks a run against the other goroutines of this process.
func (e *Engine) exclusive(id string) (unlock func()) {
	m := &e.stripes[maphash.String(e.seed, id)%uint64(len(e.stripes))]
	m.Lock()
	return m.Unlock
}

func decodeState(src []byte) (run.State, error) {
	var s run.State
	if err := s.UnmarshalJSON(src); err != nil {
		return s, fmt.Errorf("%w: %w", errBroken, err)
	}
	return s, nil
}

// commit applies an event to a run in state s, runs the pure built-in nodes that the run reaches,
// and appends the outcome as one batch.
func (e *Engine) commit(ctx context.Context, p *flow.Program, s run.State, revision uint64, c change) ([]run.Effect, error) {
	ev := c.event
	ev.At = now()
	before := s
	s, effects, err := run.Apply(p, s, ev)
	if err != nil {
		return nil, err
	}
	if len(effects) == 1 && declined(effects) {
		return effects, nil // nothing has changed
	}
	for i := 0; i < len(effects); i++ { // grows while built-ins run
		x, ok := effects[i].(run.Execute)
		if !ok || !e.builtins[x.Operation].pure {
			continue
		}
		effects = slices.Delete(effects, i, i+1)
		if _, _, wanted := s.Call(p, x.Visit, x.Attempt); !wanted { // the run has ended meanwhile
			i--
			continue
		}
		out := e.call(from(ctx, s, x), x, func(Progress) {})
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out.At = now()
		var more []run.Effect
		if s, more, err = run.Apply(p, s, out); err != nil {
			return nil, err
		}
		effects = slices.Insert(effects, i, more...)
		i-- // the inserted effects are next
	}
	return effects, e.store(ctx, p, before, s, revision, c, ev, effects)
}

// store appends the outcome of a change.
func (e *Engine) store(ctx context.Context, p *flow.Program, before, s run.State, revision uint64, c change, ev run.Event, effects []run.Effect) error {
	b := Batch{Run: s.Run, Digest: s.Digest, Expect: revision, Ends: c.ends, Over: over(s), Steps: steps(p, s, ev, effects),
		Cursor: c.cursor, Claim: c.claim, Turn: c.turn}
	var err error
	if b.State, err = storedjson.Encode(s); err != nil {
		return fmt.Errorf("run %s: %w", s.Run, err)
	}
	b.plan(p, before, s, ev.At)
	b.family(p, before, s, ev.At)
	b.Index = IndexOf(s, b.Steps)
	b.Counts = counts(p, before, s, b.Steps)
	if e.tells() {
		if err := b.tell(s); err != nil {
			return err
		}
	}
	revision, err = e.log.Append(ctx, b)
	if err != nil || b.Over {
		e.hot.forget(s.Run)
		return err
	}
	e.hot.keep(s.Run, hotRun{s, revision, len(b.State)})
	return nil
}

// now is the current time in the form that is stored.
func now() time.Time { return time.Now().UTC().Round(0) }

// over says whether nothing more happens to a run by itself.
func over(s run.State) bool { return s.Status != run.StatusRunning && s.Status != run.StatusQueued }
