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

// Program is a Flow that was checked and can run; package run interprets it. It is immutable and
// safe for concurrent use.
type Program struct {
	flow     *Flow
	vars     *schema.Schema // nil: no variables
	secrets  applied        // among the variables
	nodes    map[string]*CompiledNode
	triggers map[string]*trigger
	// before holds, for each node with join all, the nodes from which a run can reach it.
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
	Collect time.Duration // 0: an answer in words is taken at once

	index int
	op    *operation
	input *input
	edges map[string][]string // targets by port, in the order of the file
}

// Scope holds the values that expressions see, of the types that DecodeJSON returns.
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

// bindTrigger gives the expressions of a trigger their values: before a run there are only event
// and run.
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

// Flow returns the flow that was compiled.
func (p *Program) Flow() *Flow { return p.flow }

// Node finds a node by its id; nil if there is none.
func (p *Program) Node(id string) *CompiledNode { return p.nodes[id] }

// Input evaluates the input of a node's call. The error begins with the place of the expression
// that failed.
func (p *Program) Input(n *CompiledNode, s Scope) (map[string]any, error) {
	v, err := n.input.eval(p.bind(s))
	if err != nil {
		return nil, err
	}
	return v.(map[string]any), nil // with is an object
}

// Operation returns the operation that the node calls.
func (n *CompiledNode) Operation() *Operation { return &n.op.Operation }

// Replay says whether a call with this input may be repeated when its outcome is unknown.
func (n *CompiledNode) Replay(input map[string]any) sdk.Replay {
	if n.op.Replays != nil {
		return n.op.Replays(input)
	}
	return n.Operation().Replay
}

// Targets returns the nodes that a port leads to: by its own edges or, if it has none, by those of
// the wildcard of its kind.
func (n *CompiledNode) Targets(port string) []string {
	if to := n.edges[port]; len(to) > 0 {
		return to
	}
	return n.edges[portKind(port)+":*"]
}

// Leaf reports whether the node has no outgoing edge.
func (n *CompiledNode) Leaf() bool { return len(n.edges) == 0 }

// Offered returns the ports from which an answer to a call with this input chooses.
func (n *CompiledNode) Offered(input map[string]any) []string {
	_, offered, _ := n.op.ports(input)
	return offered
}

// AnswerPort returns the port that an event selects; empty if events of its type do not answer the
// node. The port may be one that was not offered.
func (n *CompiledNode) AnswerPort(eventType string, data any) string {
	port, _ := fill(n.op.answers[eventType], data)
	return port
}

// TakesWords reports whether a port takes answers other than the offered choices, such as typed
// text.
func (n *CompiledNode) TakesWords(port string) bool { return n.op.static(port) && n.op.byAnswer(port) }

// Exit returns the port by which a successful call leaves, if its output decides that. If chosen is
// false, the call leaves by PortSent and PortOut.
func (n *CompiledNode) Exit(output any) (port string, chosen bool) {
	if n.op.Exit == "" {
		return "", false
	}
	port, _ = fill(n.op.Exit, output)
	return port, true
}

// Manifests returns a digest, in hex, of the manifests of all operations that the program uses and
// was checked against. It changes when the ports, schemas or replay class of one of these
// operations change, and not with operations that the program does not use.
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
			return // an unknown type: there will be no program
		}
		raw, err := json.Marshal(used[id].digested())
		if err != nil {
			c.fail("", "manifest", "reinstall the node", "the manifest of %s is not JSON: %v", id, err)
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
