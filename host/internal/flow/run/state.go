package run

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/storedjson"
)

// Bounds of one run. Exceeding one fails the run with the code named here.
const (
	// maxVisits is how many nodes a run may enter: visit_limit.
	maxVisits = 10_000
	// maxState is the size of a state in bytes, roughly as JSON: state_limit.
	maxState = 1 << 20
	// keepSettled is how many ended waits a run remembers for late answers.
	keepSettled = 200
)

// Status is the state of a run as a whole.
type Status string

// The statuses. A late answer may take a run from succeeded or failed back to running, and a retry
// by hand from failed; cancelled is final.
const (
	StatusRunning   Status = "running"
	StatusSucceeded Status = "succeeded"
	StatusFailed    Status = "failed"
	StatusCancelled Status = "cancelled"
)

// State is a run between two events. It is plain data: a round trip through
// JSON changes nothing. Apply never changes the State it is given.
type State struct {
	Run     string             `json:"run"`
	Flow    string             `json:"flow"`
	Version int                `json:"version"`
	Digest  string             `json:"digest"`
	Trigger string             `json:"trigger"`
	Request string             `json:"request,omitempty"` // identifies the request to its caller
	Trial   bool               `json:"trial,omitempty"`   // started to try a version out
	Started time.Time          `json:"started"`
	Status  Status             `json:"status"`
	Error   *Error             `json:"error,omitempty"`
	Failed  *Failure           `json:"failed,omitempty"` // set if the run failed at a node
	Vars    map[string]any     `json:"vars,omitempty"`
	Outputs map[string]any     `json:"outputs,omitempty"` // last output by node
	Count   int                `json:"count"`             // visits so far
	Visits  []Visit            `json:"visits,omitempty"`  // those that still matter, oldest first
	Joins   map[string]Joining `json:"joins,omitempty"`   // by node
	Seen    seen               `json:"seen,omitempty"`
	Parent  *Parent            `json:"parent,omitempty"` // the step that waits for this run
	Start   *Start             `json:"start,omitempty"`  // while it is queued
	Pins    map[string]string  `json:"pins,omitempty"`   // versions of other flows, as they were when the run began
}

// Error says why a run failed.
type Error struct {
	Node    string `json:"node,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("node %s: %s: %s", e.Node, e.Code, e.Message) }

// CallPhase is the phase of the call of a visit.
type CallPhase string

// WaitPhase is the phase of the wait of a visit.
type WaitPhase string

// The phases of a visit.
const (
	CallRunning  CallPhase = "running"
	CallRetrying CallPhase = "retrying"
	CallDelayed  CallPhase = "delayed" // no call: the run continues at Due
	CallDone     CallPhase = "done"

	WaitNone    WaitPhase = ""
	WaitArmed   WaitPhase = "armed"
	WaitSettled WaitPhase = "settled"
)

// Visit is one entry into a node.
type Visit struct {
	N       int       `json:"n"` // 1, 2, 3 … in the run
	Node    string    `json:"node"`
	Call    CallPhase `json:"call"`
	Attempt int       `json:"attempt"`
	// Begun means that the call was started, for calls that must not be made twice.
	Begun bool `json:"begun,omitempty"`
	// Due is when a call is retried, or a delay ends.
	Due     time.Time      `json:"due,omitzero"`
	Input   map[string]any `json:"input,omitempty"` // while the call is not done
	Event   any            `json:"event,omitempty"` // that led here
	Error   any            `json:"error,omitempty"` // that led here
	Wait    WaitPhase      `json:"wait,omitempty"`
	Offered []string       `json:"offered,omitempty"` // ports an answer may pick
	// Instance is the instance that sent the message of an armed wait.
	Instance string `json:"instance,omitempty"`
	// Deadline is when the wait times out; zero until the message is sent.
	Deadline time.Time `json:"deadline,omitzero"`
	// Alarm is when something happens to the wait before its Deadline, or instead of it.
	Alarm time.Time `json:"alarm,omitzero"`
	// Said holds the words collected so far.
	Said *Said `json:"said,omitempty"`
	// Rounds gives, for each node with join any, the visit of it that began the round of this
	// branch.
	Rounds map[string]int `json:"rounds,omitempty"`
	// Port and At say how and when the wait was last settled.
	Port string    `json:"port,omitempty"`
	At   time.Time `json:"at,omitzero"`
}

// UnmarshalJSON keeps the number types that expressions rely on.
func (s *State) UnmarshalJSON(src []byte) error {
	type plain State
	read, err := storedjson.Decode[plain](src)
	if err != nil {
		return err
	}
	*s = State(read)
	if s.Start != nil {
		flow.Normalize(s.Start.Vars)
		s.Start.Data = flow.Normalize(s.Start.Data)
	}
	flow.Normalize(s.Vars)
	flow.Normalize(s.Outputs)
	for i := range s.Visits {
		v := &s.Visits[i]
		flow.Normalize(v.Input)
		v.Event, v.Error = flow.Normalize(v.Event), flow.Normalize(v.Error)
		if v.Said != nil {
			v.Said.Event = flow.Normalize(v.Said.Event)
		}
	}
	for id, j := range s.Joins {
		j.Event, j.Error = flow.Normalize(j.Event), flow.Normalize(j.Error)
		s.Joins[id] = j
	}
	return nil
}

// clone copies what Apply changes. Values inside are never changed in place.
func (s State) clone() State {
	s.Vars = maps.Clone(s.Vars)
	s.Outputs = maps.Clone(s.Outputs)
	s.Visits = slices.Clone(s.Visits)
	return s
}

// visit finds a visit by its number.
func (s *State) visit(n int) *Visit {
	i, ok := slices.BinarySearchFunc(s.Visits, n, func(v Visit, n int) int { return v.N - n })
	if !ok {
		return nil
	}
	return &s.Visits[i]
}

// Busy reports whether the run continues without outside input: a call is running or will be
// retried, or a delay is pending.
func (s *State) Busy() bool {
	return s.Status == StatusRunning && slices.ContainsFunc(s.Visits, func(v Visit) bool { return v.Call != CallDone })
}

// open counts the visits that have a call, a delay or a wait pending.
func (s *State) open() int {
	n := 0
	for _, v := range s.Visits {
		if v.Call != CallDone || v.Wait == WaitArmed {
			n++
		}
	}
	return n
}

// forget drops visits that have ended, except for the newest settled waits.
func (s *State) forget() {
	settled := 0
	for i := len(s.Visits) - 1; i >= 0; i-- {
		v := &s.Visits[i]
		over := v.Call == CallDone && v.Wait != WaitArmed
		if over && v.Wait == WaitSettled && settled < keepSettled {
			v.Input, v.Event, v.Error, v.Rounds = nil, nil, nil, nil
			settled++
			continue
		}
		if over {
			s.Visits = slices.Delete(s.Visits, i, i+1)
		}
	}
}

// size estimates the length of the state as JSON.
func (s *State) size() int {
	n := flow.Size(s.Vars) + flow.Size(s.Outputs) + len(s.Seen)
	if s.Start != nil {
		n += flow.Size(s.Start.Vars) + flow.Size(s.Start.Data)
	}
	for _, j := range s.Joins {
		n += 100 + flow.Size(j.Event) + flow.Size(j.Error) + 20*len(j.Rounds)
	}
	for _, v := range s.Visits {
		n += 200 + flow.Size(v.Input) + flow.Size(v.Event) + flow.Size(v.Error) + 20*len(v.Rounds)
		if v.Said != nil {
			n += flow.Size(v.Said.Event)
			for _, words := range v.Said.Texts {
				n += len(words) + 3
			}
		}
		for _, p := range v.Offered {
			n += len(p) + 3
		}
	}
	return n
}
