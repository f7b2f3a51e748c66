package flow

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Flow is a parsed flow file of the right shape; compile checks what it means. It is immutable.
type Flow struct {
	Metadata Metadata
	// Vars is the JSON Schema of the run's variables; nil when there are none.
	Vars     map[string]any
	Triggers []Trigger
	Nodes    []Node
	Edges    []Edge
	// Digest is the SHA-256, in hex, of the canonical JSON of everything but ui.
	Digest string
	// Source is the file as it was read.
	Source []byte

	doc *document
}

// Metadata names and describes the flow.
type Metadata struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Version     int               `json:"version"`
	Labels      map[string]string `json:"labels"`
}

// Trigger says what starts a run.
type Trigger struct {
	ID string `json:"id"`
	// Type is one of the host's own types, below, or the id of a TRIGGER operation.
	Type        string         `json:"type"`
	With        map[string]any `json:"with"`
	Match       *Match         `json:"match"`
	When        string         `json:"when"`
	Vars        map[string]any `json:"vars"`
	Concurrency *Concurrency   `json:"concurrency"`
	To          string         `json:"to"`
}

// Types of a Trigger that the host itself provides.
const (
	TriggerManual   = "manual"
	TriggerHTTP     = "http"
	TriggerWebhook  = "webhook"
	TriggerSchedule = "schedule"
	TriggerFlow     = "flow" // a step of another flow
)

// Policy decides what happens to a new run while other runs with its key have not ended.
type Policy string

// The policies of schemas/flow.json.
const (
	PolicyParallel Policy = "parallel" // it starts alongside them
	PolicyQueue    Policy = "queue"    // it starts when they have ended
	PolicyReplace  Policy = "replace"  // they are cancelled and it starts
	PolicyIgnore   Policy = "ignore"   // it does not start
)

// Concurrency says which runs of a flow conflict, and how the conflict is resolved.
type Concurrency struct {
	// Key is a template in a Flow, and the template's value in the result of Program.Concurrency.
	// All triggers of a flow share one set of keys.
	Key    string `json:"key"`
	Policy Policy `json:"policy"`
}

// Node is one step.
type Node struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Type     string         `json:"type"`
	With     map[string]any `json:"with"`
	Join     Join           `json:"join"`
	Wait     *Wait          `json:"wait"`
	Retry    Retry          `json:"retry"`
	Deadline Duration       `json:"deadline"`
}

// Join says how often a run enters a node that several branches lead to.
type Join string

// The joins of schemas/flow.json. Without one, every branch enters the node.
const (
	JoinAll Join = "all" // once, when no further branch can arrive
	JoinAny Join = "any" // once, by the first branch to arrive
)

// Late says what to do with an answer to a wait that has ended.
type Late string

// The late policies of schemas/flow.json.
const (
	LateRestart Late = "restart"
	LateReject  Late = "reject"
	LateIgnore  Late = "ignore"
)

// Wait says how long to wait for an answer.
type Wait struct {
	Timeout Duration `json:"timeout"`
	// Remind lists the times, counted from the message and before the timeout, at which the ports
	// remind:1, remind:2 … are taken.
	Remind []Duration `json:"remind"`
	// Collect is how long the sender may pause between messages before the text port is taken.
	Collect Duration `json:"collect"`
	Late    Late     `json:"late"`
}

// Retry says how often and how fast to try again.
type Retry struct {
	// Max counts all attempts.
	Max int `json:"max"`
	// Backoff is "exponential" or "constant".
	Backoff string   `json:"backoff"`
	Initial Duration `json:"initial"`
}

// Edge leads from a port to a node.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Source splits From at its first dot into node and port.
func (e Edge) Source() (node, port string) {
	node, port, _ = strings.Cut(e.From, ".")
	return node, port
}

// Node finds a node by its id.
func (f *Flow) Node(id string) (*Node, bool) {
	for i := range f.Nodes {
		if f.Nodes[i].ID == id {
			return &f.Nodes[i], true
		}
	}
	return nil, false
}

// Duration is a length of time written as in "30s", "1h30m" or "3d".
type Duration time.Duration

var units = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}

// UnmarshalText reads the form of schemas/flow.json.
func (d *Duration) UnmarshalText(text []byte) error {
	var sum time.Duration
	start := 0
	for i, c := range text {
		unit, ok := units[c]
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(string(text[start:i]), 10, 31)
		if err != nil || time.Duration(n) > (1<<62-sum)/unit {
			return fmt.Errorf("%.40q is not a duration such as 30s, 1h30m or 3d", text)
		}
		sum += time.Duration(n) * unit
		start = i + 1
	}
	if start == 0 || start != len(text) {
		return fmt.Errorf("%.40q is not a duration such as 30s, 1h30m or 3d", text)
	}
	*d = Duration(sum)
	return nil
}

// MarshalText writes whole seconds, which UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%ds", time.Duration(d)/time.Second), nil
}
