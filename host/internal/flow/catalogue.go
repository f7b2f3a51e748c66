package flow

import (
	"fmt"
	"slices"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/schema"
)

// Operation is what a flow needs to know of one operation, whether a node binary
// or the host itself offers it: its manifest and two things that only built-in
// nodes use.
type Operation struct {
	sdk.OperationManifest
	// Exit is the port a success leaves by, with {/pointer} placeholders into the
	// output, e.g. "{/port}". Empty: by "out" and "sent".
	Exit string
	// Replays says more precisely than the manifest's Replay who may repeat a call with a
	// certain input; nil: the manifest holds.
	Replays func(input map[string]any) sdk.Replay
	// Constant are members of the input that may hold no expression, such as a program.
	Constant []string
	// Check finds what is wrong with the members of an input that hold no expression,
	// beyond its schema; may be nil.
	Check func(constants map[string]any) []sdk.Violation
	// Assigns means that the members of the output become variables of the run.
	Assigns bool
}

// Catalogue is the set of operations a flow may use. It does not change.
type Catalogue struct {
	ids    []string
	ops    map[string]*operation
	events map[string]any // schemas of the types of events
}

// operation is an Operation with its schemas read.
type operation struct {
	Operation
	input     *schema.Schema
	outputDoc map[string]any
	// answers maps the types of the events that may answer a call to the template
	// of the port they take.
	answers map[string]string
	shown   map[string]any // the input's schema
	secrets applied        // the same for Conceal
}

// NewCatalogue reads the schemas of the operations, to which it adds those of Hosted.
// Every schema must stand alone; an id may appear once.
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

// answeredBy notes that an event may answer the operation; the first word holds.
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

// compileInputSchema reads a schema by way of the values flows work with, so that
// its defaults are such values.
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

// Operations lists the operations by id.
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

// ids of one kind, for suggestions.
func (c *Catalogue) kind(k sdk.Kind) []string {
	var out []string
	for _, id := range c.ids {
		if c.ops[id].Kind == k {
			out = append(out, id)
		}
	}
	return out
}
