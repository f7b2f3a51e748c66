package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// Outgoing is an event for others, such as the receivers of webhooks.
type Outgoing struct {
	ID       string // the same for every report of the same thing; an event whose id is already kept is not kept again
	Type     string
	Instance string // that it is of; may be empty
	Run      string // that it is of; may be empty
	Time     time.Time
	Data     json.RawMessage
}

// The types of events of runs.
const (
	EventRunStarted = "flow.run.started.v1"
	EventRunWaiting = "flow.run.waiting.v1"
	EventRunEnded   = "flow.run.ended.v1"
)

// runEvents are the types of events, by the kind of the step that they report.
var runEvents = map[run.TraceKind]string{
	run.TraceRunStarted: EventRunStarted, run.TraceWaitArmed: EventRunWaiting, run.TraceRunFinished: EventRunEnded,
}

// runEvent is the data of an event of a run. It identifies things, and has nothing that flows or
// customers said.
type runEvent struct {
	Run       string `json:"run"`
	Flow      string `json:"flow"`
	Digest    string `json:"digest"`
	Trigger   string `json:"trigger"`
	Trial     bool   `json:"trial,omitempty"`
	Node      string `json:"node,omitempty"`
	MessageID string `json:"messageId,omitempty"`
	Status    string `json:"status,omitempty"`
	Error     string `json:"error,omitempty"` // a code
}

// tell adds the run's events to a batch whose other parts are complete.
func (b *Batch) tell(s run.State) error {
	for i, st := range b.Steps {
		name := runEvents[st.Kind]
		if name == "" {
			continue
		}
		data := runEvent{Run: s.Run, Flow: s.Flow, Digest: s.Digest, Trigger: s.Trigger, Trial: s.Trial, Node: st.Node, MessageID: st.MessageID}
		if st.Kind == run.TraceRunFinished {
			if data.Status = st.Code; s.Error != nil {
				data.Error = s.Error.Code
			}
		}
		raw, err := json.Marshal(data)
		if err != nil {
			return fmt.Errorf("run %s: %w", s.Run, err)
		}
		b.Outgoing = append(b.Outgoing, Outgoing{ID: fmt.Sprintf("%s-%d-%d", s.Run, b.Expect+1, i), Type: name, Run: s.Run, Time: st.Time, Data: raw})
	}
	return nil
}
