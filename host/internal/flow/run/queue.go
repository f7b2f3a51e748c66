package run

import (
	"fmt"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// StatusQueued is the status of a run that has not begun, because others with its key have not
// ended.
const StatusQueued Status = "queued"

// Start is what a queued run begins with.
type Start struct {
	Request string            `json:"request,omitempty"`
	Trigger string            `json:"trigger"`
	Trial   bool              `json:"trial,omitempty"`
	Vars    map[string]any    `json:"vars,omitempty"`
	Data    any               `json:"data,omitempty"`
	Parent  *Parent           `json:"parent,omitempty"`
	Pins    map[string]string `json:"pins,omitempty"`
}

// Parent is the step of another run that waits for this run as its outcome.
type Parent struct {
	Run   string `json:"run"`
	Visit int    `json:"visit"`
	// Depth is 1 for a run that was started by a run without a parent, 2 for a run started by that
	// one, and so on.
	Depth int `json:"depth"`
}

// Queue returns the state of a run that begins later, with a Started event that needs nothing but
// At.
func Queue(p *flow.Program, id string, e Event) (State, []Effect, error) {
	f := p.Flow()
	trigger, err := p.Trigger(e.Trigger)
	if err != nil {
		return State{}, nil, err
	}
	s := State{Run: id, Flow: f.Metadata.ID, Version: f.Metadata.Version, Digest: f.Digest, Trigger: trigger.ID, Started: e.At,
		Request: e.ID, Trial: e.Trial, Status: StatusQueued, Start: &Start{e.ID, e.Trigger, e.Trial, e.Vars, e.Data, e.Parent, e.Pins}}
	if size := s.size(); size > maxState {
		return State{}, nil, fmt.Errorf("run %s: what it begins with has %d bytes; the limit is %d", id, size, maxState)
	}
	return s, []Effect{Trace{Kind: TraceRunQueued}}, nil
}

// unqueue returns the event that a queued run begins with.
func (s *State) unqueue(at time.Time) Event {
	b := s.Start
	return Event{Kind: Started, ID: b.Request, At: at, Trigger: b.Trigger, Trial: b.Trial, Vars: b.Vars, Data: b.Data, Parent: b.Parent, Pins: b.Pins}
}
