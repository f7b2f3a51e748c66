package engine

import (
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/sdk"
)

// Step is one thing that happened in a run, for watchers. Which fields it has depends on Kind; see
// the constants of run.TraceKind.
type Step struct {
	Sequence  uint64        `json:"sequence"` // 1, 2, 3 … with gaps
	Time      time.Time     `json:"time"`
	Run       string        `json:"run,omitempty"`
	Flow      string        `json:"flow,omitempty"`
	Kind      run.TraceKind `json:"step"`
	Node      string        `json:"node,omitempty"`
	Visit     int           `json:"visit,omitempty"`
	Attempt   int           `json:"attempt,omitempty"`
	Operation string        `json:"operation,omitempty"`
	Port      string        `json:"port,omitempty"`
	Code      string        `json:"code,omitempty"`
	Message   string        `json:"message,omitempty"`
	// MessageID is the message that was sent or answered, if the data names one.
	MessageID string `json:"messageId,omitempty"`
	// ButtonID is the button that was tapped, if the data names one.
	ButtonID string        `json:"buttonId,omitempty"`
	Data     any           `json:"data,omitempty"` // without secrets: see flow.Conceal
	Warnings []sdk.Warning `json:"warnings,omitempty"`
	// Cut means that Data was left out because it is larger than maxStepData.
	Cut bool `json:"cut,omitempty"`
}

// maxStepData is the size of a step's Data in bytes, roughly as JSON.
const maxStepData = 16 << 10

// steps turns the traces among the effects into steps, with their time and run.
func steps(p *flow.Program, s run.State, ev run.Event, effects []run.Effect) []Step {
	out := make([]Step, 0, len(effects))
	sent := map[int]string{} // message ids by visit, for the wait that follows the send
	for _, x := range effects {
		t, ok := x.(run.Trace)
		if !ok {
			continue
		}
		st := Step{Time: ev.At, Run: s.Run, Flow: s.Flow, Kind: t.Kind, Node: t.Node, Visit: t.Visit, Attempt: t.Attempt,
			Operation: t.Operation, Port: t.Port, Code: t.Code, Message: t.Message, Data: t.Data, Warnings: t.Warnings}
		switch t.Kind {
		case run.TraceNodeSucceeded:
			st.MessageID = lookup(t.Data, "messageId")
			sent[t.Visit] = st.MessageID
		case run.TraceWaitArmed:
			st.MessageID = sent[t.Visit]
		case run.TraceWaitAnswered, run.TraceWaitRestarted, run.TraceWaitRefused, run.TraceWaitIgnored:
			st.MessageID, st.ButtonID = lookup(t.Data, "menu", "messageId"), lookup(t.Data, "button", "id")
		}
		if st.Cut = flow.Size(st.Data) > maxStepData; st.Cut {
			st.Data = nil
		}
		st.conceal(p)
		out = append(out, st)
	}
	return out
}

// conceal removes the secrets from a step.
func (st *Step) conceal(p *flow.Program) {
	st.Message = flow.ConcealText(st.Message)
	switch st.Kind {
	case run.TraceNodeStarted:
		st.Data = p.Conceal(st.Node, st.Data)
	case run.TraceRunStarted:
		st.Data = p.ConcealVars(st.Data)
	default:
		st.Data = flow.Conceal(st.Data)
	}
}

// lookup follows member names to a string; empty if there is none.
func lookup(v any, path ...string) string {
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	s, _ := v.(string)
	return s
}
