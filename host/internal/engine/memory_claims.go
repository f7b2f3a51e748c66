package engine

import (
	"fmt"
	"slices"
	"time"
)

// memoryClaims are the runs that have a claim and are not over, by the claim: those that have begun
// and those that are queued, oldest first. Its owner's lock guards it.
type memoryClaims map[string]*claimants

type claimants struct{ begun, queued []string }

// allow says whether a batch may be stored; r is nil for a new run.
func (m memoryClaims) allow(b Batch, r *memoryRun) error {
	claim := b.Claim
	if r != nil {
		claim = r.claim
	}
	c := m[claim]
	if claim == "" || c == nil {
		c = &claimants{}
	}
	var other string
	for _, id := range slices.Concat(c.begun, c.queued) {
		if id != b.Run && other == "" && (r == nil || slices.Contains(c.begun, id)) { // a queued run waits only for those that have begun
			other = id
		}
	}
	switch {
	case b.Turn == TurnAlone && other != "":
		return fmt.Errorf("append to run %s: %w", b.Run, &ClaimedError{other})
	case b.Turn == TurnQueued && other == "":
		return fmt.Errorf("append to run %s: %w", b.Run, ErrFree)
	case b.Turn == TurnQueued && len(c.queued) >= MaxQueued:
		return fmt.Errorf("append to run %s: %d runs are queued: %w", b.Run, len(c.queued), ErrFull)
	}
	return nil
}

// note records a batch that is stored, and returns the task that begins the run whose turn has
// come.
func (m memoryClaims) note(b Batch, r *memoryRun) []Task {
	if r.claim == "" {
		return nil
	}
	c := m[r.claim]
	if c == nil {
		c = &claimants{}
		m[r.claim] = c
	}
	is := func(id string) bool { return id == b.Run }
	switch {
	case b.Over:
		c.begun, c.queued = slices.DeleteFunc(c.begun, is), slices.DeleteFunc(c.queued, is)
	case b.Turn == TurnQueued:
		c.queued = append(c.queued, b.Run)
	case !slices.Contains(c.begun, b.Run):
		c.begun, c.queued = append(c.begun, b.Run), slices.DeleteFunc(c.queued, is)
	}
	if len(c.begun) > 0 {
		return nil
	}
	if len(c.queued) == 0 {
		delete(m, r.claim)
		return nil
	}
	return []Task{StartTask(c.queued[0], time.Now())}
}

// StartTask is the task with which a Log lets a queued run begin.
func StartTask(run string, now time.Time) Task {
	return Task{ID: run + ":" + string(TaskStart), Run: run, Kind: TaskStart, Due: now}
}
