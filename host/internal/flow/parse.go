package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk/schema"
)

// Defaults and bounds of the times in a flow, as schemas/flow.json states them.
const (
	DefaultWait     = 24 * time.Hour
	MaxWait         = 90 * 24 * time.Hour
	DefaultDeadline = 2 * time.Minute
	MaxDeadline     = time.Hour
	DefaultAttempts = 6
	DefaultPause    = 2 * time.Second
	MaxPause        = time.Hour
)

var shape = sync.OnceValue(func() *schema.Schema {
	s, err := schema.Compile(schemas.Read("flow.json"), schema.AssertFormats())
	if err != nil {
		panic(fmt.Sprintf("flow: the embedded schema flow.json: %v", err))
	}
	return s
})

// parse reads a flow file, YAML or JSON, of at most MaxSize bytes, and checks its shape against
// schemas/flow.json. The error is an *InvalidError: it holds one finding for a syntax error, or
// every finding about the shape.
func parse(src []byte) (*Flow, error) {
	doc, syntax := read(src)
	if syntax != nil {
		return nil, &InvalidError{Findings: []Finding{syntax.finding()}}
	}
	var findings []Finding
	for _, f := range shape().Findings(doc.root) {
		findings = append(findings, Finding{Pointer: f.Pointer, Line: doc.line(f.Pointer), Severity: SeverityError,
			Code: f.Code, Message: f.Message, Suggestion: f.Suggestion})
	}
	if len(findings) > 0 {
		findings = withoutFlood(findings)
		sortFindings(findings)
		return nil, &InvalidError{Findings: doc.nameNodes(findings)}
	}
	f, err := decode(doc)
	if err != nil {
		return nil, &InvalidError{Findings: []Finding{{Severity: SeverityError, Code: "syntax", Message: err.Error()}}}
	}
	f.Source = src
	return f, nil
}

// withoutFlood drops findings about the members of a list that is too long; the finding about its
// length is enough.
func withoutFlood(findings []Finding) []Finding {
	var long []string
	for _, f := range findings {
		if f.Code == "max_items" {
			long = append(long, f.Pointer+"/")
		}
	}
	return slices.DeleteFunc(findings, func(f Finding) bool {
		return slices.ContainsFunc(long, func(ptr string) bool { return strings.HasPrefix(f.Pointer, ptr) })
	})
}

// decode fills the model from a document of the right shape, defaults included.
func decode(doc *document) (*Flow, error) {
	root := maps.Clone(doc.root.(map[string]any))
	delete(root, "ui")
	delete(root, "$schema")
	canonical, err := json.Marshal(root) // sorts keys
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(canonical)
	f := &Flow{Digest: hex.EncodeToString(sum[:]), doc: doc}
	var typed struct {
		Metadata Metadata  `json:"metadata"`
		Triggers []Trigger `json:"triggers"`
		Nodes    []Node    `json:"nodes"`
		Edges    []Edge    `json:"edges"`
	}
	if err := json.Unmarshal(canonical, &typed); err != nil {
		return nil, err
	}
	f.Metadata, f.Triggers, f.Nodes, f.Edges = typed.Metadata, typed.Triggers, typed.Nodes, typed.Edges
	f.Vars, _ = root["vars"].(map[string]any) // absent: no variables
	f.Metadata.Version = max(f.Metadata.Version, 1)
	for i := range f.Nodes {
		f.Nodes[i].fill()
	}
	// Values in "with" keep the number types of the document.
	for i, t := range asList(root["triggers"]) {
		f.Triggers[i].With, _ = member(t, "with").(map[string]any)
		f.Triggers[i].Vars, _ = member(t, "vars").(map[string]any)
	}
	for i, n := range asList(root["nodes"]) {
		f.Nodes[i].With, _ = member(n, "with").(map[string]any)
	}
	return f, nil
}

// fill sets the defaults of schemas/flow.json.
func (n *Node) fill() {
	if n.Deadline == 0 {
		n.Deadline = Duration(DefaultDeadline)
		if n.Type == OperationFlow {
			n.Deadline = Duration(MaxWait)
		}
	}
	if n.Retry.Max == 0 {
		n.Retry.Max = DefaultAttempts
	}
	if n.Retry.Initial == 0 {
		n.Retry.Initial = Duration(DefaultPause)
	}
	if n.Wait != nil {
		if n.Wait.Timeout == 0 {
			n.Wait.Timeout = Duration(DefaultWait)
		}
		if n.Wait.Late == "" {
			n.Wait.Late = LateRestart
		}
	}
}
