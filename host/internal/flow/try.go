package flow

import (
	"github.com/expr-lang/expr/types"
)

// Try evaluates a text with expressions in it over values whose types nothing says, such as those of a
// run that has happened. data has the members vars, nodes, event, error and run; what it leaves out is
// nil. The result is what a step would be given there; nothing is kept.
func Try(template string, data map[string]any) (any, error) {
	in, bad := compileInput(template, "", untyped())
	for _, b := range bad {
		return nil, b.err
	}
	values := bindings{meterName: newMeter()}
	for _, name := range []string{"vars", "nodes", "run"} {
		values[name] = orEmpty(asObject(data[name]))
	}
	for _, name := range []string{"event", "error"} {
		values[name] = data[name]
	}
	if in.text == nil {
		return in.literal, nil
	}
	return in.text.eval(values)
}

// untyped lets expressions name everything there is, and any member of it.
func untyped() environment {
	all := declare(types.Map{"vars": types.Any, "nodes": types.Any, "event": types.Any, "error": types.Any})
	return environment{lenient: all, strict: all}
}

func asObject(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}
