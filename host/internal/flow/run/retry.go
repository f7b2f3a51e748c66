package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
)

// Kinds of events by which a person repairs a run.
const (
	Retried EventKind = "retried" // a failed run continues at the node it failed at
	Resumed EventKind = "resumed" // Visit, or 0 for all: its timeout, delay or retry is due now
)

// Errors of Retried and Resumed. The run is unchanged then.
var (
	ErrNoRetry  = errors.New("the run cannot be tried again")
	ErrNoResume = errors.New("nothing of the run waits for a time")
)

// Failure is the visit that failed a run, as it was before it failed.
type Failure struct {
	Visit  Visit      `json:"visit"`
	Effect sdk.Effect `json:"effect"` // of the call
}

// UnmarshalJSON keeps the number types that expressions rely on.
func (f *Failure) UnmarshalJSON(src []byte) error {
	type plain Failure
	if err := json.Unmarshal(src, (*plain)(f)); err != nil {
		return err
	}
	v := &f.Visit
	flow.Normalize(v.Input)
	v.Event, v.Error = flow.Normalize(v.Event), flow.Normalize(v.Error)
	return nil
}

// retried enters again the node that failed the run. If the call had no effect, this is a new visit
// with a key of its own; if it may have had one, it is the same visit under the same key, so that a
// KEYED operation does not act twice. Other branches that ended with the failure stay ended.
func (t *transition) retried() error {
	f := t.s.Failed
	switch {
	case t.s.Status != StatusFailed:
		return fmt.Errorf("run %s: %w: it is %s, not failed", t.s.Run, ErrNoRetry, t.s.Status)
	case f == nil:
		return fmt.Errorf("run %s: %w: it did not fail at a node", t.s.Run, ErrNoRetry)
	}
	t.s.Status, t.s.Error, t.s.Failed = StatusRunning, nil, nil
	t.emit(Trace{Kind: TraceRunReopened, Node: f.Visit.Node, Message: "tried again by hand"})
	if f.Effect == sdk.EffectNone {
		e := entry{node: f.Visit.Node, event: f.Visit.Event, err: f.Visit.Error, rounds: f.Visit.Rounds, joined: true}
		if t.p.Node(f.Visit.Node).Leaf() {
			e.input = f.Visit.Input // the values it was evaluated from were dropped
		}
		t.queue = append(t.queue, e)
		return nil
	}
	v, n := f.Visit, t.p.Node(f.Visit.Node)
	v.Call, v.Attempt, v.Begun = CallRunning, v.Attempt+1, false
	i, kept := slices.BinarySearchFunc(t.s.Visits, v.N, func(v Visit, n int) int { return v.N - n })
	if kept {
		t.s.Visits[i] = v
	} else {
		t.s.Visits = slices.Insert(t.s.Visits, i, v)
	}
	t.emit(Trace{Kind: TraceNodeStarted, Node: n.ID, Visit: v.N, Attempt: v.Attempt, Operation: n.Type, Data: v.Input})
	t.emit(call(t.s.Run, n, &v))
	return nil
}

// resumed makes what a visit waits for due now: its timeout, delay or next attempt. Visit 0 means
// all visits.
func (t *transition) resumed(visit int) error {
	found := false
	for i := range t.s.Visits {
		v := &t.s.Visits[i]
		if visit != 0 && v.N != visit {
			continue
		}
		if !v.Due.IsZero() {
			found, v.Due = true, t.at
			t.retryDue(Event{Visit: v.N, Attempt: v.Attempt})
		}
		if v.Wait == WaitArmed && !v.alarm().IsZero() {
			found = true
			if v.Said != nil { // the words that were collected are the answer
				v.Alarm = t.at
			} else {
				v.Alarm, v.Deadline = time.Time{}, t.at
			}
			t.timedOut(Event{Visit: v.N})
		}
	}
	if !found || t.s.Status != StatusRunning {
		return fmt.Errorf("run %s: %w", t.s.Run, ErrNoResume)
	}
	return nil
}
