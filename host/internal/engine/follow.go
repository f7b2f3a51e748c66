package engine

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// lookAgain is how often Follow checks a run that has no new steps: the run may have been removed.
const lookAgain = 30 * time.Second

// Follow yields the steps of a run, first the kept ones and then new ones as they come. It ends
// when the run is over and all its kept steps have been yielded, when the run is removed, and when
// ctx ends. After a late answer has reopened a run, Follow goes on with the later steps. An error
// is the last thing that it yields; for a run that does not exist it is ErrNotFound.
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

// ToRest is like Follow for the steps after a sequence. It ends, after at least one step, as soon
// as nothing more happens by itself: the run is over, or waits only for answers.
func (e *Engine) ToRest(ctx context.Context, id string, after uint64) iter.Seq2[Step, error] {
	return e.follow(ctx, id, after, func(s run.State, yielded int) bool { return yielded > 0 && !s.Busy() })
}

// follow yields the steps after a sequence. It ends when ends says so about a state all of whose
// steps have been yielded.
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
				kept, err = e.log.Steps(ctx, id, after) // read after the state, so that they include the steps that led to it
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
			if len(kept) == 0 { // otherwise the last step may be newer than the state, and no step may follow it
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
		if !errors.Is(err, ErrLagged) { // the lost steps are of other runs, or Steps did not have them either
			return
		}
	}
}
