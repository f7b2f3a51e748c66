package engine

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// lookAgain is how often Follow looks at a run of which it hears nothing: the run may
// have been forgotten.
const lookAgain = 30 * time.Second

// Follow yields the steps of a run, the kept ones and then as they come. It ends when the
// run is over and each of its kept steps has been yielded, when the run is forgotten, and
// when ctx ends. A run that was over and was reopened by a late answer goes on where it is
// reopened. An error is the last thing it yields; a run that does not exist gives
// ErrNotFound.
func (e *Engine) Follow(ctx context.Context, id string) iter.Seq2[Step, error] {
	return e.follow(ctx, id, 0, func(s run.State, _ int) bool { return over(s) })
}

// Told says whether a run is over and has no kept step after a sequence, so that Follow would yield none.
func (e *Engine) Told(ctx context.Context, id string, after uint64) (bool, error) {
	s, err := e.State(ctx, id)
	if err != nil || !over(s) {
		return false, err
	}
	more, err := e.log.Steps(ctx, id, after)
	return len(more) == 0, err
}

// ToRest is Follow for the steps after a sequence that ends, after one step at least, as
// soon as nothing more happens by itself: the run is over, or all that is left of it waits
// for answers.
func (e *Engine) ToRest(ctx context.Context, id string, after uint64) iter.Seq2[Step, error] {
	return e.follow(ctx, id, after, func(s run.State, yielded int) bool { return yielded > 0 && !s.Busy() })
}

// follow yields the steps after a sequence until ends says so of a state whose steps were
// all yielded.
func (e *Engine) follow(ctx context.Context, id string, after uint64, ends func(s run.State, yielded int) bool) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		yielded := 0
		for known := false; ; known = true {
			s, err := e.State(ctx, id)
			if known && errors.Is(err, ErrNotFound) || ctx.Err() != nil {
				return
			}
			var kept []Step
			if err == nil {
				kept, err = e.log.Steps(ctx, id, after) // after the state: it has those that led to it
			}
			if err != nil {
				yield(Step{}, err)
				return
			}
			for _, step := range kept {
				after = step.Sequence
				yielded++
				if !yield(step, nil) {
					return
				}
			}
			if ends(s, yielded) {
				return
			}
			if len(kept) == 0 { // else the last of them may be younger than the state, and none come after it
				e.awaitStep(ctx, id, after)
			}
		}
	}
}

// awaitStep returns when there may be a step after a sequence.
func (e *Engine) awaitStep(ctx context.Context, id string, after uint64) {
	ctx, cancel := context.WithTimeout(ctx, lookAgain)
	defer cancel()
	for _, err := range e.log.Watch(ctx, id, after) {
		if !errors.Is(err, ErrLagged) { // other runs' steps, or those that Steps did not have either
			return
		}
	}
}
