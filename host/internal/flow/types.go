package flow

import (
	"reflect"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/types"
)

// environment declares the names that expressions may use. strict also refuses members that a
// schema allows without listing them: such a name is most likely a typo.
type environment struct {
	lenient, strict expr.Option
	// ways hold one strict declaration per event, when several events can lead to the node.
	ways []way
}

// way is one event that may lead to a node.
type way struct {
	event string
	expr.Option
}

// environments returns a function that declares the names for a node's expressions: the run's
// variables, the output of every node, the error that led to the node, and the event, whose type
// depends on the path to the node.
func (c *compilation) environments() func(node string) environment {
	types := c.eventTypes()
	byEvents := map[string]environment{}
	return func(node string) environment {
		events := types[node]
		key := strings.Join(events, " ")
		env, ok := byEvents[key]
		if !ok {
			env = c.environment(events)
			byEvents[key] = env
		}
		return env
	}
}

func (c *compilation) environment(events []string) environment {
	if len(events) == 1 && events[0] != noEvent {
		return environment{lenient: c.declare(events[0], false), strict: c.declare(events[0], true)}
	}
	env := environment{lenient: c.declare(anyEvent, false), strict: c.declare(anyEvent, true)}
	for _, event := range events {
		if event != anyEvent {
			env.ways = append(env.ways, way{event, c.declare(event, true)})
		}
	}
	return env
}

func (c *compilation) declare(event string, strict bool) expr.Option {
	vars := types.Map{}
	for name, s := range properties(c.flow.Vars) {
		vars[name] = typeOf(s, strict)
	}
	nodes := types.Map{}
	for id, n := range c.program.nodes {
		nodes[id] = types.Any
		if n.op != nil && n.op.outputDoc != nil {
			nodes[id] = typeOf(n.op.outputDoc, strict)
		}
	}
	var of types.Type = types.Nil
	if event != noEvent {
		of = typeOf(c.eventSchema(event), strict)
	}
	return declare(types.Map{
		"vars":  vars,
		"nodes": nodes,
		"error": types.Map{"code": types.String, "message": types.String, "httpStatus": types.Int, "node": types.String},
		"event": of,
	})
}

// beforeRun declares the names that a trigger's expressions may use: its event and, if withVars,
// the run's variables, for expressions that are evaluated after these are set.
func (c *compilation) beforeRun(trigger string, withVars bool) environment {
	of := func(strict bool) expr.Option {
		env := types.Map{"event": typeOf(c.cat.events[c.cat.triggerEvent(trigger)], strict)}
		if withVars {
			vars := types.Map{}
			for name, s := range properties(c.flow.Vars) {
				vars[name] = typeOf(s, strict)
			}
			env["vars"] = vars
		}
		return declare(env)
	}
	return environment{lenient: of(false), strict: of(true)}
}

// declare adds the names that are always available. The result can be shared by any number of
// expressions, whereas expr.Env would derive the types again for each.
func declare(env types.Map) expr.Option {
	env["run"] = types.Map{"id": types.String, "flow": types.String, "version": types.Int}
	nature := env.Nature()
	return func(c *conf.Config) { c.EnvObject, c.Env, c.Strict = env, nature, true }
}

func properties(schema map[string]any) map[string]any {
	p, _ := schema["properties"].(map[string]any)
	return p
}

// typeOf returns the expression type of a JSON Schema; Any where the schema does not fix the type.
// An object is limited to the members listed if the schema says so or, when strict, if it lists
// any.
func typeOf(schema any, strict bool) types.Type {
	s, _ := schema.(map[string]any)
	switch s["type"] {
	case "string":
		return types.String
	case "integer":
		return types.Int
	case "number":
		return types.Float64
	case "boolean":
		return types.Bool
	case "array":
		return types.Array(typeOf(s["items"], strict))
	case "object":
		m := types.Map{}
		for name, p := range properties(s) {
			m[name] = typeOf(p, strict)
		}
		if s["additionalProperties"] != false && (!strict || len(m) == 0) {
			m[types.Extra] = types.Any
		}
		return m
	default:
		return types.Any
	}
}

// sample returns a value of a kind, to stand in for an expression when its place is checked. ok is
// false if the kind is unknown.
func sample(k reflect.Kind) (v any, ok bool) {
	switch k {
	case reflect.String:
		return "text", true
	case reflect.Bool:
		return true, true
	case reflect.Int, reflect.Int64:
		return 1, true
	case reflect.Float32, reflect.Float64:
		return 1.5, true
	case reflect.Map:
		return map[string]any{}, true
	case reflect.Slice:
		return []any{}, true
	default:
		return nil, false
	}
}
