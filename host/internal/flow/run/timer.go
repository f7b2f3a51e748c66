package run

import (
	"maps"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// Bounds of the words that are collected into one answer. When one is reached, the answer is taken
// at once.
const (
	maxTexts     = 20
	maxTextBytes = 16 << 10
)

// Said holds words that have come in several messages so far.
type Said struct {
	Port  string   `json:"port"`
	Texts []string `json:"texts,omitempty"`
	Event any      `json:"event,omitempty"` // of the last
}

// alarm returns when a wait acts next by itself: it takes the words collected, takes the port of a
// reminder, or times out. Zero: not yet known.
func (v *Visit) alarm() time.Time {
	if !v.Alarm.IsZero() {
		return v.Alarm
	}
	return v.Deadline
}

// wholeSecond rounds a deadline up. The times of answers are in whole seconds, so an answer in the
// same second as the deadline would count as in time even if the timeout had already been taken,
// and the run would take both paths.
func wholeSecond(t time.Time) time.Time {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second)
}

// timedOut handles the alarm of a wait.
func (t *transition) timedOut(e Event) {
	v := t.s.visit(e.Visit)
	if v == nil || v.Wait != WaitArmed || v.alarm().IsZero() || t.at.Before(v.alarm()) {
		return
	}
	n := t.p.Node(v.Node)
	switch {
	case v.Said != nil:
		t.takeSaid(v, n)
	case t.at.Before(v.Deadline):
		t.remind(v, n)
	default:
		t.settle(v, flow.PortTimeout)
		t.emit(Trace{Kind: TraceWaitTimeout, Node: n.ID, Visit: v.N, Operation: n.Type, Port: flow.PortTimeout})
		t.follow(v, n, flow.PortTimeout, v.Event, nil)
	}
}

// setAlarm sets the alarm to the next reminder after now, or else clears it, so that the deadline
// applies.
func (v *Visit) setAlarm(n *flow.CompiledNode, now time.Time) {
	v.Alarm = time.Time{}
	sent := v.Deadline.Add(-n.Timeout)
	for _, after := range n.Remind {
		if at := sent.Add(after); at.After(now) {
			v.Alarm = at
			return
		}
	}
}

// remind takes the port of the newest reminder that is due. Earlier reminders that were missed are
// skipped.
func (t *transition) remind(v *Visit, n *flow.CompiledNode) {
	due := 0
	for i, after := range n.Remind {
		if at := v.Deadline.Add(-n.Timeout).Add(after); !at.After(t.at) {
			due = i + 1
		}
	}
	v.setAlarm(n, t.at)
	port := flow.RemindPort(due)
	t.emit(Trace{Kind: TraceWaitReminded, Node: n.ID, Visit: v.N, Operation: n.Type, Port: port})
	t.follow(v, n, port, v.Event, nil)
}

// collect stores words until no more have come for the time of Collect.
func (t *transition) collect(v *Visit, n *flow.CompiledNode, port string, e Event) {
	s := Said{Port: port, Event: e.Data}
	if v.Said != nil {
		s.Texts = v.Said.Texts
	}
	if v.Call == CallRetrying { // an answer proves that the message arrived
		v.Call, v.Input, v.Due = CallDone, nil, time.Time{}
	}
	size := 0
	data, _ := e.Data.(map[string]any)
	if words, _ := data["text"].(string); words != "" {
		s.Texts = append(s.Texts[:len(s.Texts):len(s.Texts)], words)
	}
	for _, words := range s.Texts {
		size += len(words)
	}
	v.Said, v.Alarm = &s, t.at.Add(n.Collect)
	t.emit(Trace{Kind: TraceWaitCollected, Node: n.ID, Visit: v.N, Operation: n.Type, Port: port, Data: e.Data})
	if len(s.Texts) >= maxTexts || size > maxTextBytes {
		t.takeSaid(v, n)
	}
}

// takeSaid takes the words that were collected as one answer: the event of the last message, with
// the texts of all.
func (t *transition) takeSaid(v *Visit, n *flow.CompiledNode) {
	s := *v.Said
	event := s.Event
	if data, ok := event.(map[string]any); ok {
		data = maps.Clone(data)
		texts := make([]any, len(s.Texts))
		for i, words := range s.Texts {
			texts[i] = words
		}
		data["text"], data["texts"] = strings.Join(s.Texts, "\n"), texts
		event = data
	}
	t.take(v, n, s.Port, Event{Data: event})
}
