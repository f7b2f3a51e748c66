package flow

import (
	"fmt"
	"slices"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/schema"
)

// Operation is what a flow needs to know about one operation, which a node binary or the host
// itself offers: its manifest, and properties that only built-in nodes use.
type Operation struct {
	sdk.OperationManifest
	// Exit is the port that a successful call leaves by, with {/pointer} placeholders into the
	// output, e.g. "{/port}". If empty, the call leaves by "out" and "sent".
	Exit string
	// Replays refines the manifest's Replay for a particular input; if nil, the manifest applies.
	Replays func(input map[string]any) sdk.Replay
	// Constant names the members of the input that must not contain an expression, such as a
	// program.
	Constant []string
	// Check reports violations, beyond those of the schema, in the members of an input that contain
	// no expression; may be nil.
	Check func(constants map[string]any) []sdk.Violation
	// Assigns means that the members of the output become variables of the run.
	Assigns bool
}

// Catalogue is the set of operations that a flow may use. It is immutable.
type Catalogue struct {
	ids    []string
	ops    map[string]*operation
	events map[string]any // schemas by event type
}

// operation is an Operation with its schemas parsed.
type operation struct {
	Operation
	input     *schema.Schema
	outputDoc map[string]any
	// answers maps each event type that may answer a call to the template of the port that it
	// takes.
	answers map[string]string
	shown   map[string]any // the input's schema
	secrets applied        // the same, for Conceal
}

// NewCatalogue parses the schemas of the operations and adds the operations of Hosted. Every schema
// must be self-contained, and every id unique.
func NewCatalogue(ops ...Operation) (*Catalogue, error) {
	c := &Catalogue{ops: map[string]*operation{}, events: map[string]any{}}
	for _, op := range slices.Concat(Hosted(), ops) {
		if _, ok := c.ops[op.ID]; ok {
			return nil, fmt.Errorf("operation %s is offered twice", op.ID)
		}
		o := &operation{Operation: op, outputDoc: schemaDoc(op.Output), answers: map[string]string{}}
		if len(op.Input) > 0 {
			var err error
			if o.input, err = compileInputSchema(op.Input); err != nil {
				return nil, fmt.Errorf("schema of %s: %w", op.ID, err)
			}
		}
		for _, e := range op.Events {
			c.events[e.Type] = schemaDoc(e.Schema)
			if op.Kind == sdk.KindAction {
				o.answeredBy(e)
			}
		}
		o.shown = schemaDoc(op.Input)
		o.secrets = secretsOf(o.shown)
		c.ops[op.ID] = o
		c.ids = append(c.ids, op.ID)
	}
	slices.Sort(c.ids)
	c.routeTriggers()
	return c, nil
}

// answeredBy records that an event may answer the operation. For each event type the first port
// recorded is kept.
func (o *operation) answeredBy(e sdk.EventType) {
	if e.Port != "" && o.answers[e.Type] == "" {
		o.answers[e.Type] = e.Port
	}
}

// routeTriggers lets the events of triggers answer the actions that have a port
// for them.
func (c *Catalogue) routeTriggers() {
	for _, id := range c.ids {
		for _, e := range c.ops[id].Events {
			if c.ops[id].Kind != sdk.KindTrigger {
				continue
			}
			for _, o := range c.ops {
				if o.Kind == sdk.KindAction && (o.static(e.Port) || o.derives(e.Port)) {
					o.answeredBy(e)
				}
			}
		}
	}
}

// compileInputSchema compiles a schema from the values of DecodeJSON, so that its defaults have the
// types that flows work with.
func compileInputSchema(src []byte) (*schema.Schema, error) {
	v, err := DecodeJSON(src)
	if err != nil {
		return nil, err
	}
	return schema.CompileValue(v, schema.AssertFormats())
}

// schemaDoc is a schema as a value; nil when it is absent or a boolean.
func schemaDoc(src []byte) map[string]any {
	v, err := DecodeJSON(src)
	if err != nil {
		return nil
	}
	m, _ := v.(map[string]any)
	return m
}

// Operations lists the operations in the order of their ids.
func (c *Catalogue) Operations() []Operation {
	out := make([]Operation, 0, len(c.ids))
	for _, id := range c.ids {
		out = append(out, c.ops[id].Operation)
	}
	return out
}

// Operation finds an operation by its id.
func (c *Catalogue) Operation(id string) (Operation, bool) {
	if o, ok := c.ops[id]; ok {
		return o.Operation, true
	}
	return Operation{}, false
}

// kind lists the ids of the operations of one kind, for suggestions.
func (c *Catalogue) kind(k sdk.Kind) []string {
	var out []string
	for _, id := range c.ids {
		if c.ops[id].Kind == k {
			out = append(out, id)
		}
	}
	return out
}
