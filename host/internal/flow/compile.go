package flow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/schema"
)

// compile checks a flow against a catalogue. The Program is nil if a finding is
// an error. Findings are in the order of the file.
func compile(f *Flow, cat *Catalogue) (*Program, []Finding) {
	c := &compilation{flow: f, cat: cat, program: &Program{flow: f, secrets: secretsOf(f.Vars), nodes: map[string]*CompiledNode{}, triggers: map[string]*trigger{}}}
	c.nodes()
	c.variables()
	c.edges()
	c.inputs()
	c.ports()
	c.waits()
	c.delays()
	c.triggers()
	c.graph()
	c.joins()
	c.digestManifests()
	sortFindings(c.findings)
	f.doc.nameNodes(c.findings)
	if HasErrors(c.findings) {
		return nil, c.findings
	}
	return c.program, c.findings
}

// Load reads a flow file, YAML or JSON, of at most MaxSize bytes, and checks it against a
// catalogue. The error is an *InvalidError with all findings; warnings come with the Program.
func Load(src []byte, cat *Catalogue) (*Program, []Finding, error) {
	f, err := parse(src)
	if err != nil {
		return nil, nil, err
	}
	p, findings := compile(f, cat)
	if p == nil {
		return nil, findings, &InvalidError{Findings: findings}
	}
	return p, findings, nil
}

// LoadAs is Load for a file that must belong to the flow with this id.
func LoadAs(src []byte, cat *Catalogue, id string) (*Program, []Finding, error) {
	p, findings, err := Load(src, cat)
	doc, syntax := read(src)
	if syntax != nil {
		return p, findings, err
	}
	const place = "/metadata/id"
	other, ok := member(member(doc.root, "metadata"), "id").(string)
	if !ok || other == id {
		return p, findings, err
	}
	wrong := Finding{Pointer: place, Line: doc.line(place), Severity: SeverityError, Code: "another_flow", Message: fmt.Sprintf("the file is of the flow %.80q, and not of %q", other, id),
		Suggestion: "call it " + id + ", or keep it as a flow of its own"}
	if bad, ok := errors.AsType[*InvalidError](err); ok {
		findings = bad.Findings
	}
	findings = append(findings, wrong)
	sortFindings(findings)
	return nil, findings, &InvalidError{Findings: findings}
}

// Name returns the name in the metadata of a flow file; empty if the file cannot be read.
func Name(src []byte) string {
	doc, syntax := read(src)
	if syntax != nil {
		return ""
	}
	name, _ := member(member(doc.root, "metadata"), "name").(string)
	return name
}

// compilation collects findings while it builds a Program.
type compilation struct {
	flow     *Flow
	cat      *Catalogue
	program  *Program
	findings []Finding
}

func (c *compilation) report(sev Severity, ptr, code, suggestion, format string, args ...any) {
	c.findings = append(c.findings, Finding{Pointer: ptr, Line: c.flow.doc.line(ptr), Severity: sev, Code: code,
		Message: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

func (c *compilation) fail(ptr, code, suggestion, format string, args ...any) {
	c.report(SeverityError, ptr, code, suggestion, format, args...)
}

// nodes fills program.nodes; a node of an unknown type has no op.
func (c *compilation) nodes() {
	for i, n := range c.flow.Nodes {
		ptr := jsonstrict.Pointer("/nodes", i)
		if first, ok := c.program.nodes[n.ID]; ok {
			c.fail(jsonstrict.Pointer(ptr, "id"), "duplicate_id", "give one of them another id",
				"node %q is there twice; the first is nodes/%d", n.ID, first.index)
			continue
		}
		c.program.nodes[n.ID] = &CompiledNode{Node: n, index: i, op: c.action(n.Type, jsonstrict.Pointer(ptr, "type")), edges: map[string][]string{}}
		longest := MaxDeadline
		if n.Type == OperationFlow {
			longest = MaxWait
		}
		if d := time.Duration(n.Deadline); d < time.Second || d > longest {
			c.fail(jsonstrict.Pointer(ptr, "deadline"), "out_of_range", "", "the deadline must be between 1s and %s", Span(longest))
		}
	}
}

// action finds the operation of a node.
func (c *compilation) action(id, ptr string) *operation {
	op, ok := c.cat.ops[id]
	switch {
	case !ok:
		c.fail(ptr, "unknown_type", DidYouMean(id, c.cat.kind(kindAction)), "no node of type %q is installed", id)
	case op.Kind != kindAction:
		c.fail(ptr, "not_a_step", "", "%s is not a step of a flow but a %s", id, strings.ToLower(string(op.Kind)))
		return nil
	}
	return op
}

func (c *compilation) variables() {
	if c.flow.Vars == nil {
		return
	}
	s, err := schema.CompileValue(c.flow.Vars, schema.AssertFormats())
	if err != nil {
		c.fail("/vars", "vars_schema", "", "vars is not a JSON Schema 2020-12: %v", err)
		return
	}
	c.program.vars = s
	for _, f := range s.Findings(s.WithDefaults(map[string]any{})) {
		if f.Code != "required" { // a default that its own schema refuses
			c.fail("/vars/properties"+f.Pointer, f.Code, f.Suggestion, "default: %s", f.Message)
		}
	}
}

func (c *compilation) inputs() {
	env := c.environments()
	for i := range c.flow.Nodes {
		n := c.program.nodes[c.flow.Nodes[i].ID]
		if n.index != i {
			continue // a duplicate
		}
		ptr := jsonstrict.Pointer("/nodes", i, "with")
		with := n.With
		if with == nil {
			with = map[string]any{}
		}
		var errs []inputError
		n.input, errs = compileInput(with, ptr, env(n.ID))
		for _, e := range errs {
			c.expression(e.pointer, e.err, "vars", "event", "error", "nodes", "run")
		}
		if n.op != nil {
			c.checkInput(n.op, n.input, ptr)
			c.checkConstants(n.op, with, ptr)
			if n.op.Assigns {
				c.assigned(n, ptr)
			}
		}
	}
}

// expression reports an expression that does not compile, or that compiles with a doubt. roots are
// the names it may begin with.
func (c *compilation) expression(ptr string, err error, roots ...string) {
	severity, code := SeverityError, "expression"
	var d *doubt
	if errors.As(err, &d) {
		severity, code = SeverityWarning, d.code
	}
	c.report(severity, ptr, code, c.hint(err, roots), "%v", err)
}

// checkInput checks an input against the operation's schema. Of an expression only the type is
// checked, and nothing if its kind is unknown.
func (c *compilation) checkInput(op *operation, in *input, ptr string) {
	open, typed := map[string]bool{}, map[string]bool{}
	v := in.outline("", open, typed)
	for _, f := range op.input.Findings(v) {
		unknown := open[f.Pointer] || typed[f.Pointer] && f.Code != "type"
		if !unknown || f.Code == "duplicate" { // the same expression twice is the same text twice
			c.fail(ptr+f.Pointer, f.Code, f.Suggestion, "%s: %s", op.ID, f.Message)
		}
	}
}

// checkConstants applies the checks of an operation that go beyond its schema.
func (c *compilation) checkConstants(op *operation, with map[string]any, ptr string) {
	for _, name := range op.Constant {
		if isTemplate(with[name]) {
			c.fail(jsonstrict.Pointer(ptr, name), "not_constant", "write it out, and give it what it works on by another member",
				"%s: %s may hold no expression", op.ID, name)
			return
		}
	}
	if op.Check == nil {
		return
	}
	constants := map[string]any{}
	for name, v := range with {
		if !isTemplate(v) {
			constants[name] = v
		}
	}
	for _, v := range op.Check(constants) {
		c.fail(ptr+v.Pointer, v.Code, v.Suggestion, "%s: %s", op.ID, v.Message)
	}
}

// assigned checks that a node sets only variables that exist.
func (c *compilation) assigned(n *CompiledNode, ptr string) {
	values, _ := n.With["values"].(map[string]any)
	known := properties(c.flow.Vars)
	for k := range values {
		if _, ok := known[k]; !ok {
			c.fail(jsonstrict.Pointer(ptr, "values", k), "unknown_variable", DidYouMean(k, keys(known)), "vars has no %q", k)
		}
	}
}

func (c *compilation) edges() {
	seen := map[Edge]bool{}
	for i, e := range c.flow.Edges {
		ptr := jsonstrict.Pointer("/edges", i)
		if _, ok := c.program.nodes[e.To]; !ok {
			c.fail(jsonstrict.Pointer(ptr, "to"), "unknown_node", DidYouMean(e.To, keys(c.program.nodes)), "there is no node %q", e.To)
		}
		if seen[e] {
			c.report(SeverityWarning, ptr, "duplicate_edge", "remove one", "%s leads to %s twice", e.From, e.To)
			continue
		}
		seen[e] = true
		id, port := e.Source()
		n, ok := c.program.nodes[id]
		if !ok {
			c.fail(jsonstrict.Pointer(ptr, "from"), "unknown_node", DidYouMean(id, keys(c.program.nodes)), "there is no node %q", id)
			continue
		}
		n.edges[port] = append(n.edges[port], e.To)
	}
}

// ports checks that every edge starts from a port its node has, and that no two
// ports of a node have the same name.
func (c *compilation) ports() {
	for _, n := range c.program.nodes {
		if n.op != nil {
			c.reserved(n, jsonstrict.Pointer("/nodes", n.index))
		}
	}
	for i, e := range c.flow.Edges {
		id, port := e.Source()
		if n, ok := c.program.nodes[id]; ok && n.op != nil {
			c.port(n, port, jsonstrict.Pointer("/edges", i, "from"))
		}
	}
}

func (c *compilation) port(n *CompiledNode, port, ptr string) {
	ports, _, open := n.op.ports(n.input.mask())
	ids := n.reminders()
	for _, p := range ports {
		ids = append(ids, p.ID)
	}
	if slices.Contains(ids, port) || open && n.op.derives(port) {
		return
	}
	c.fail(ptr, "unknown_port", DidYouMean(port, ids), "node %q has no port %q", n.ID, port)
}

// reserved refuses choices whose port the node already has for another purpose, such as a button
// with the id "*": an edge from that port would be ambiguous.
func (c *compilation) reserved(n *CompiledNode, ptr string) {
	input := n.op.input.WithDefaults(withoutEmpty(n.input.mask()))
	for _, r := range n.op.PortRules {
		each, _ := jsonstrict.Resolve(input, r.Each)
		for i, el := range asList(each) {
			derived, _ := derive(sdk.PortRule{Where: r.Where, ID: r.ID, Label: r.Label}, []any{el})
			for _, p := range derived {
				if p.ID == wildcard(r) || n.op.static(p.ID) || p.ID == PortError || n.op.waits() && (p.ID == PortTimeout || portKind(p.ID) == PortRemind) {
					c.fail(jsonstrict.Pointer(jsonstrict.Pointer(ptr, "with")+r.Each, i), "reserved_id", "give it another id",
						"its port would be %s, which node %q has for another purpose", p.ID, n.ID)
				}
			}
		}
	}
}
