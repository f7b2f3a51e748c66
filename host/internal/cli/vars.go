package cli

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// variables reads --var name=value. A value is JSON unless the flow says that the
// variable is a string.
func variables(f *flow.Flow, assignments []string) (map[string]any, error) {
	vars := map[string]any{}
	for _, a := range assignments {
		name, value, ok := strings.Cut(a, "=")
		if !ok {
			return nil, invalid("--var %s: want name=value", a)
		}
		property, known := properties(f)[name].(map[string]any)
		if !known {
			return nil, invalid("--var %s: the flow has no such variable; it has %s", name, strings.Join(slices.Sorted(maps.Keys(properties(f))), ", "))
		}
		vars[name] = value
		if property["type"] != "string" {
			var v any
			if err := json.Unmarshal([]byte(value), &v); err != nil {
				return nil, invalid("--var %s: %q is not JSON: %w", name, value, err)
			}
			vars[name] = v
		}
	}
	return vars, nil
}

func properties(f *flow.Flow) map[string]any {
	p, _ := f.Vars["properties"].(map[string]any)
	return p
}

// withPicture gives a flow that wants a mediaUrl, and got none, the simulation's.
func (h *host) withPicture(f *flow.Flow, vars map[string]any) {
	if _, given := vars["mediaUrl"]; given || h.sim == nil || properties(f)["mediaUrl"] == nil {
		return
	}
	vars["mediaUrl"] = h.sim.Picture()
}
