package flow

import (
	"github.com/expr-lang/expr/types"
)

// Try evaluates a text that contains expressions, over values of unknown types such as those of a
// past run. data has the members vars, nodes, event, error and run; a member that is missing is
// empty. The result is the value that a step would receive; nothing is stored.
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

// untyped lets expressions use every name and any member of it.
func untyped() environment {
	all := declare(types.Map{"vars": types.Any, "nodes": types.Any, "event": types.Any, "error": types.Any})
	return environment{lenient: all, strict: all}
}

func asObject(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}
