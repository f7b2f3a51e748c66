package flow

// EvalTemplate compiles and evaluates a template over untyped vars, the way a
// node's input is.
func EvalTemplate(s string, vars map[string]any) (any, error) {
	schema := map[string]any{}
	for k := range vars {
		schema[k] = map[string]any{}
	}
	f := &Flow{Nodes: []Node{{ID: "a"}}, Vars: map[string]any{"properties": schema}}
	c := &compiler{flow: f, cat: &Catalogue{}, program: &Program{}}
	in, errs := compileInput(s, "", c.environments()("a"))
	for _, e := range errs {
		return nil, e.err
	}
	return in.eval(bindings{"vars": vars, "nodes": map[string]any{}, "event": nil, "error": nil, "run": map[string]any{}, meterName: meter()})
}
