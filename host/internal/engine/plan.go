package engine

import (
	"slices"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// plan adds the waits and tasks that a change of the state adds, and ends those that it ends.
// Both follow from the state alone: whatever becomes of a task, the run says what it was.
func (b *Batch) plan(p *flow.Program, before, after run.State, now time.Time) {
	was, is := before.Pending(), after.Pending()
	for _, next := range was {
		if !slices.ContainsFunc(is, func(n run.Pending) bool { return taskID(after.Run, n) == taskID(after.Run, next) }) {
			b.Done = append(b.Done, taskID(after.Run, next))
		}
	}
	for _, next := range is {
		if id := taskID(after.Run, next); b.Ends.ID == id || !slices.Contains(was, next) {
			b.Tasks = append(b.Tasks, taskOf(p, &after, next, now))
		}
	}
	known := before.Waiting()
	for _, w := range after.Waiting() {
		if slices.Contains(known, w) {
			continue
		}
		until := now
		if w.Deadline.After(now) {
			until = w.Deadline
		}
		b.Waits = append(b.Waits, Wait{Correlation: w.Correlation, Run: after.Run, Node: w.Node, Visit: w.Visit, Expires: until.Add(keepWaits)})
	}
}

// taskOf is the task for what is pending in a run.
func taskOf(p *flow.Program, s *run.State, next run.Pending, now time.Time) Task {
	t := Task{ID: taskID(s.Run, next), Run: s.Run, Kind: TaskKind(next.Kind), Visit: next.Visit, Attempt: next.Attempt, Due: next.Due}
	if t.Due.IsZero() {
		t.Due = now
	}
	if x, _, ok := s.Call(p, next.Visit, next.Attempt); ok && next.Kind == run.PendingCall {
		t.Lane = laneOf(s.Flow, x)
	}
	return t
}

// taskID is the same for all attempts of a call.
func taskID(id string, next run.Pending) string {
	return run.Key(id, next.Node, next.Visit) + ":" + string(next.Kind)
}

// maxLane bounds the name of a lane, in bytes. Two that differ behind it share a lane.
const maxLane = 200

// laneOf is the lane of a call: its operation and the instance that it is for, or else the
// flow.
func laneOf(flowID string, x run.Execute) string {
	whose, ok := x.Input["instance"].(string)
	if !ok {
		whose = flowID
	}
	lane := x.Operation + " " + whose
	return lane[:min(len(lane), maxLane)]
}
