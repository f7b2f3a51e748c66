package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// maxConflicts is how often a change is computed anew before the caller hears of
// it. Races are between hosts only and settle at once.
const maxConflicts = 20

// apply brings an event into a run: load, apply, append; again if the run has
// changed meanwhile. ends is the task that led here, if one did. It returns the effects.
func (e *Engine) apply(ctx context.Context, id string, ev run.Event, ends Task) ([]run.Effect, error) {
	defer e.exclusive(id)()
	for range maxConflicts {
		rec, err := e.log.Load(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", id, err)
		}
		s, err := decodeState(rec.State)
		if err != nil {
			return nil, err
		}
		p, err := e.pinned(ctx, s)
		if err != nil {
			return nil, err
		}
		effects, err := e.commit(ctx, p, s, rec.Revision, ev, ends)
		if !errors.Is(err, ErrConflict) {
			return effects, err
		}
	}
	return nil, fmt.Errorf("run %s: %w, %d times in a row", id, ErrConflict, maxConflicts)
}

// exclusive keeps two goroutines of this process off the same run.
func (e *Engine) exclusive(id string) (unlock func()) {
	h := fnv.New32a()
	h.Write([]byte(id)) //nolint:errcheck // a hash takes every byte
	m := &e.stripes[h.Sum32()%uint32(len(e.stripes))]
	m.Lock()
	return m.Unlock
}

func decodeState(src []byte) (run.State, error) {
	var s run.State
	if err := json.Unmarshal(src, &s); err != nil {
		return s, fmt.Errorf("stored run: %w", err)
	}
	return s, nil
}

// commit applies an event to a run in state s, carries on through the pure built-in nodes it
// meets, and appends the outcome as one batch.
func (e *Engine) commit(ctx context.Context, p *flow.Program, s run.State, revision uint64, ev run.Event, ends Task) ([]run.Effect, error) {
	ev.At = time.Now().UTC()
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
		out := e.call(from(ctx, s, x), x, func(Progress) {})
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out.At = time.Now().UTC()
		var more []run.Effect
		if s, more, err = run.Apply(p, s, out); err != nil {
			return nil, err
		}
		rest := effects[i+1:]
		effects = append(effects[:i:i], more...)
		if s.Status == run.StatusFailed { // what was asked for before is off
			effects = withoutCalls(append(effects, rest...))
			break
		}
		effects = append(effects, rest...)
		i-- // what came instead is next
	}
	b := Batch{Run: s.Run, Digest: s.Digest, Expect: revision, Ends: ends, Over: s.Status != run.StatusRunning, Steps: steps(p, s, ev, effects)}
	if b.State, err = json.Marshal(s); err != nil {
		return nil, fmt.Errorf("run %s: %w", s.Run, err)
	}
	b.take(s, effects, ev.At)
	_, err = e.log.Append(ctx, b)
	return effects, err
}

func withoutCalls(effects []run.Effect) []run.Effect {
	var out []run.Effect
	for _, x := range effects {
		switch x.(type) {
		case run.Execute, run.Later:
		default:
			out = append(out, x)
		}
	}
	return out
}

// take turns effects into waits and tasks.
func (b *Batch) take(s run.State, effects []run.Effect, now time.Time) {
	for _, x := range effects {
		switch x := x.(type) {
		case run.Execute:
			b.Tasks = append(b.Tasks, Task{ID: taskID(x.Key, TaskCall), Run: s.Run, Kind: TaskCall, Visit: x.Visit, Attempt: x.Attempt, Due: now})
		case run.Later:
			b.Tasks = append(b.Tasks, Task{ID: taskID(fmt.Sprintf("%s:%d", s.Run, x.Visit), TaskRetry), Run: s.Run, Kind: TaskRetry,
				Visit: x.Visit, Attempt: x.Attempt, Due: x.Due})
		case run.Arm:
			until := now
			if !x.Deadline.IsZero() {
				until = x.Deadline
				b.Tasks = append(b.Tasks, Task{ID: taskID(x.Correlation, TaskTimeout), Run: s.Run, Kind: TaskTimeout, Visit: x.Visit, Due: x.Deadline})
			}
			b.Waits = append(b.Waits, Wait{Correlation: x.Correlation, Run: s.Run, Node: x.Node, Visit: x.Visit, Expires: until.Add(keepWaits)})
		case run.Disarm:
			b.Done = append(b.Done, taskID(x.Correlation, TaskTimeout))
		}
	}
}

func taskID(of string, kind TaskKind) string { return of + ":" + string(kind) }
