package engine

import (
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// plan adds the waits and tasks that a change of the state adds, and ends the tasks that it ends.
// They follow from the state alone: whatever happens to a task, the run still says what it was.
func (b *Batch) plan(p *flow.Program, before, after run.State, now time.Time) {
	// A run may have hundreds of pending calls, so each is found in a map and not by a search.
	was, is := before.Pending(), after.Pending()
	had, left := set(was), make(map[thing]bool, len(is))
	for _, next := range is {
		left[thingOf(next)] = true
	}
	for _, next := range was {
		if !left[thingOf(next)] {
			b.Done = append(b.Done, taskID(after.Run, next))
		}
	}
	for _, next := range is {
		if !had[next] || b.Ends.ID == taskID(after.Run, next) {
			b.Tasks = append(b.Tasks, taskOf(p, &after, next, now))
		}
	}
	known := set(before.Waiting())
	for _, w := range after.Waiting() {
		if known[w] {
			continue
		}
		until := now
		if w.Deadline.After(now) {
			until = w.Deadline
		}
		b.Waits = append(b.Waits, Wait{Correlation: w.Correlation, Run: after.Run, Node: w.Node, Visit: w.Visit, Expires: until.Add(keepWaits)})
	}
}

// travel is how much later a timeout is taken, so that an answer given at the last moment can still
// reach its run.
const travel = time.Second

// taskOf is the task for a pending action of a run.
func taskOf(p *flow.Program, s *run.State, next run.Pending, now time.Time) Task {
	t := Task{ID: taskID(s.Run, next), Run: s.Run, Kind: TaskKind(next.Kind), Visit: next.Visit, Attempt: next.Attempt, Due: next.Due}
	if t.Due.IsZero() {
		t.Due = now
	}
	if t.Lane = next.Instance; next.Ends {
		t.Due = t.Due.Add(travel)
	}
	if x, _, ok := s.Call(p, next.Visit, next.Attempt); ok && next.Kind == run.PendingCall {
		t.Lane = laneOf(s.Flow, x)
	}
	return t
}

// thing is what a task id identifies.
type thing struct {
	kind  run.PendingKind
	node  string
	visit int
}

func thingOf(next run.Pending) thing { return thing{next.Kind, next.Node, next.Visit} }

func set[T comparable](all []T) map[T]bool {
	out := make(map[T]bool, len(all))
	for _, v := range all {
		out[v] = true
	}
	return out
}

// taskID is the same for all attempts of a call.
func taskID(id string, next run.Pending) string {
	return run.Key(id, next.Node, next.Visit) + ":" + string(next.Kind)
}

// maxLane bounds the name of a lane, in bytes. Names that differ only beyond it share a lane.
const maxLane = 200

// laneOf is the lane of a call: its operation and the instance that it is for, or the flow if it is
// for none.
func laneOf(flowID string, x run.Execute) string {
	whose, ok := x.Input["instance"].(string)
	if !ok {
		whose = flowID
	}
	lane := x.Operation + " " + whose
	return lane[:min(len(lane), maxLane)]
}
