package flow

import "errors"

// EvalTemplate compiles and evaluates a template over untyped vars, the way a
// node's input is.
func EvalTemplate(s string, vars map[string]any) (any, error) {
	schema := map[string]any{}
	for k := range vars {
		schema[k] = map[string]any{}
	}
	f := &Flow{Nodes: []Node{{ID: "a"}}, Vars: map[string]any{"properties": schema}}
	in, errs := compileInput(s, "", f.environment(nil))
	if len(errs) > 0 {
		return nil, errors.New(errs[0].err.Error())
	}
	return in.eval(scope{"vars": vars, "nodes": map[string]any{}, "event": nil, "error": nil, "run": map[string]any{}, meterName: meter()})
}
