package flow

import (
	"reflect"

	"github.com/expr-lang/expr/types"
)

// environment is what the expressions of a flow may name, with types: the run's
// variables, the output of every node, the event and the error that led here.
func (f *Flow) environment(ops map[string]*operation) types.Map {
	vars := types.Map{}
	for name, s := range properties(f.Vars) {
		vars[name] = typeOf(s)
	}
	nodes := types.Map{}
	for _, n := range f.Nodes {
		nodes[n.ID] = types.Any
		if op := ops[n.ID]; op != nil && op.outputDoc != nil {
			nodes[n.ID] = typeOf(op.outputDoc)
		}
	}
	return types.Map{
		"vars":    vars,
		"nodes":   nodes,
		"event":   types.Any,
		"error":   types.Map{"code": types.String, "message": types.String, "httpStatus": types.Int, "node": types.String},
		"run":     types.Map{"id": types.String, "flow": types.String, "version": types.Int},
		meterName: types.TypeOf(func() bool { return true }),
	}
}

func properties(schema map[string]any) map[string]any {
	p, _ := schema["properties"].(map[string]any)
	return p
}

// typeOf is the expression type of a JSON Schema; Any where the schema leaves
// the choice open.
func typeOf(schema any) types.Type {
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
		return types.Array(typeOf(s["items"]))
	case "object":
		m := types.Map{}
		for name, p := range properties(s) {
			m[name] = typeOf(p)
		}
		if s["additionalProperties"] != false {
			m[types.Extra] = types.Any
		}
		return m
	default:
		return types.Any
	}
}

// sample is a value of a kind, to check a place that holds an expression. ok is
// false when the kind says nothing.
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
