package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// Runs is Archive.Runs.
func (e *Engine) Runs(ctx context.Context, q Query) (Page, error) { return e.log.Runs(ctx, q) }

// History is one run with its kept steps, oldest first.
type History struct {
	Found
	Digest  string `json:"digest"` // of its version
	Trigger string `json:"trigger"`
	// Message says why it failed or was cancelled.
	Message string          `json:"message,omitempty"`
	Pending []PendingAction `json:"pending,omitempty"`
	Steps   []HistoryStep   `json:"steps"`
	// Omitted is how many earlier steps are not shown.
	Omitted int `json:"omitted,omitempty"`
}

// maxHistory is how many of the newest steps of a run are shown.
const maxHistory = 2000

// PendingAction is something that will happen to a run by itself, and when.
type PendingAction struct {
	Kind  run.PendingKind `json:"kind"`
	Node  string          `json:"node"`
	Visit int             `json:"visit"`
	Due   time.Time       `json:"due,omitzero"` // zero: at once
}

// HistoryStep is a step with data that is derived from the steps around it.
type HistoryStep struct {
	Step
	// Key is the idempotency key of the call that the step belongs to.
	Key string `json:"key,omitempty"`
	// TookMs is how long an attempt took from when it was requested, including the wait for its
	// turn.
	TookMs int64 `json:"tookMs,omitempty"`
}

// History returns what is kept of a run. ErrNotFound if there is none.
func (e *Engine) History(ctx context.Context, id string) (History, error) {
	found, err := e.log.Found(ctx, id)
	if err != nil {
		return History{}, fmt.Errorf("run %.80s: %w", id, err)
	}
	s, err := e.State(ctx, id)
	if err != nil {
		return History{}, err
	}
	steps, err := e.log.Steps(ctx, id, 0)
	if err != nil {
		return History{}, err
	}
	omitted := max(0, len(steps)-maxHistory)
	h := History{Omitted: omitted, Found: found, Digest: s.Digest, Trigger: s.Trigger, Steps: timed(steps)[omitted:]}
	if s.Error != nil {
		h.Message = s.Error.Message
	}
	for _, p := range s.Pending() {
		h.Pending = append(h.Pending, PendingAction{p.Kind, p.Node, p.Visit, p.Due})
	}
	return h, nil
}

// timed adds keys and durations to the steps of a run, oldest first.
func timed(steps []Step) []HistoryStep {
	ofCall := []run.TraceKind{run.TraceNodeStarted, run.TraceNodeProgress, run.TraceNodeSucceeded, run.TraceNodeFailed, run.TraceNodeRetry}
	out, begun := make([]HistoryStep, len(steps)), map[int]time.Time{}
	for i, st := range steps {
		out[i] = HistoryStep{Step: st}
		if st.Node == "" || !slices.Contains(ofCall, st.Kind) {
			continue
		}
		out[i].Key = RunKeys + run.Key(st.Run, st.Node, st.Visit)
		switch start, ok := begun[st.Visit]; {
		case st.Kind == run.TraceNodeStarted:
			begun[st.Visit] = st.Time
		case st.Kind != run.TraceNodeProgress && ok:
			out[i].TookMs = st.Time.Sub(start).Milliseconds()
		}
	}
	return out
}
