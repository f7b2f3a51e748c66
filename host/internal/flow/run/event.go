package run

import (
	"errors"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// EventKind says what happened to a run.
type EventKind string

// The kinds, and which fields of Event they use beside At.
const (
	Started   EventKind = "started"   // ID (of the request, kept as State.Request), Trigger, Vars, Data
	Succeeded EventKind = "succeeded" // Visit, Attempt, Data (the output), Warnings
	Failed    EventKind = "failed"    // Visit, Attempt, Problem
	RetryDue  EventKind = "retryDue"  // Visit, Attempt
	Answered  EventKind = "answered"  // ID, Visit, Type, Data
	TimedOut  EventKind = "timedOut"  // Visit
	Cancelled EventKind = "cancelled" // Reason
)

// ErrSeen means that an answer with this id was applied before.
var ErrSeen = errors.New("the answer was applied before")

// Event is one thing that happened. Values are those flow.DecodeJSON gives.
type Event struct {
	Kind     EventKind
	ID       string
	At       time.Time
	Trigger  string
	Vars     map[string]any
	Visit    int
	Attempt  int
	Type     string
	Data     any
	Warnings []sdk.Warning
	Problem  *sdk.Problem
	Reason   string
}
