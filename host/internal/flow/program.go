package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/schema"
)

// Program is a Flow that was checked and can run; package run interprets it. It
// does not change and may be used from several goroutines.
type Program struct {
	flow     *Flow
	vars     *schema.Schema // nil: no variables
	secrets  applied        // among the variables
	nodes    map[string]*CompiledNode
	triggers map[string]*trigger
	// before are, for each node with join all, the nodes from which a run can come there.
	before    map[string]map[string]bool
	manifests string
}

// CompiledNode is a Node ready to run.
type CompiledNode struct {
	Node
	// Waits means that a run stops here for an answer.
	Waits bool
	// Timeout, Late, Remind and Collect are the wait's, defaults included.
	Timeout time.Duration
	Late    Late
	Remind  []time.Duration
	Collect time.Duration // 0: an answer in words counts at once

	index int
	op    *operation
	input *input
	edges map[string][]string // targets by port, in the order of the file
}

// Scope is what expressions see. Its values are those DecodeJSON gives.
type Scope struct {
	Run     string         // id of the run
	Vars    map[string]any // of the run
	Outputs map[string]any // last output by node
	Event   any            // that led to the node, or starts the run
	Error   any            // that led to the node
}

// bindings are the values behind the names of an environment.
type bindings map[string]any

// bind gives the expressions of a node their values.
func (p *Program) bind(s Scope) bindings {
	b := p.bindTrigger(s)
	b["vars"], b["nodes"], b["error"] = orEmpty(s.Vars), orEmpty(s.Outputs), s.Error
	return b
}

// bindTrigger gives the expressions of a trigger theirs: before a run there is
// nothing but the event.
func (p *Program) bindTrigger(s Scope) bindings {
	return bindings{"event": s.Event, meterName: newMeter(),
		"run": map[string]any{"id": s.Run, "flow": p.flow.Metadata.ID, "version": p.flow.Metadata.Version}}
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// Flow is what was compiled.
func (p *Program) Flow() *Flow { return p.flow }

// Node finds a node by its id; nil if there is none.
func (p *Program) Node(id string) *CompiledNode { return p.nodes[id] }

// Input evaluates what a node's call is given. The error begins with the place
// of the expression that failed.
func (p *Program) Input(n *CompiledNode, s Scope) (map[string]any, error) {
	v, err := n.input.eval(p.bind(s))
	if err != nil {
		return nil, err
	}
	return v.(map[string]any), nil // with is an object
}

// Operation is what the node calls.
func (n *CompiledNode) Operation() *Operation { return &n.op.Operation }

// Replay says who may repeat a call with this input whose outcome is unknown.
func (n *CompiledNode) Replay(input map[string]any) sdk.Replay {
	if n.op.Replays != nil {
		return n.op.Replays(input)
	}
	return n.Operation().Replay
}

// Targets are the nodes an edge from port leads to, by its own edges or else by
// the wildcard of its kind.
func (n *CompiledNode) Targets(port string) []string {
	if to := n.edges[port]; len(to) > 0 {
		return to
	}
	return n.edges[portKind(port)+":*"]
}

// Leaf says that no edge leads on from the node.
func (n *CompiledNode) Leaf() bool { return len(n.edges) == 0 }

// Offered are the ports among which an answer to a call with this input chooses.
func (n *CompiledNode) Offered(input map[string]any) []string {
	_, offered, _ := n.op.ports(input)
	return offered
}

// AnswerPort is the port that an event asks for; empty if events of its type do
// not answer the node. Whether that port was offered is another question.
func (n *CompiledNode) AnswerPort(eventType string, data any) string {
	port, _ := fill(n.op.answers[eventType], data)
	return port
}

// TakesWords reports whether a port takes answers that are no choice among the
// offered, such as typed text.
func (n *CompiledNode) TakesWords(port string) bool { return n.op.static(port) && n.op.byAnswer(port) }

// Exit is the port that a call which worked leaves by, when its output decides
// that. Without chosen it leaves by PortSent and PortOut.
func (n *CompiledNode) Exit(output any) (port string, chosen bool) {
	if n.op.Exit == "" {
		return "", false
	}
	port, _ = fill(n.op.Exit, output)
	return port, true
}

// Manifests is a digest, in hex, of the manifests of all operations that the program
// uses: what it was checked against. It changes when an operation's ports, schemas or
// replay class do, and not with those that the program does not use.
func (p *Program) Manifests() string { return p.manifests }

func (c *compilation) digestManifests() {
	used := map[string]*operation{}
	for _, n := range c.program.nodes {
		used[n.Type] = n.op
	}
	for _, t := range c.program.triggers {
		used[t.Type] = c.cat.ops[t.Type]
	}
	sum := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(used)) {
		if used[id] == nil {
			return // the program is none
		}
		raw, err := json.Marshal(used[id].digested())
		if err != nil {
			c.fail("", "manifest", "reinstall the node", "the manifest of %s is no JSON: %v", id, err)
			return
		}
		sum.Write(append(raw, '\n')) // never fails
	}
	c.program.manifests = hex.EncodeToString(sum.Sum(nil))
}

// digested is the part of an operation that a program depends on.
func (o Operation) digested() any {
	return struct {
		Manifest any
		Exit     string
		Assigns  bool
	}{o.OperationManifest, o.Exit, o.Assigns}
}
