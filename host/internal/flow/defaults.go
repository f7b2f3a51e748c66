package flow

import "strings"

// withDefaults returns v with the schema's defaults filled in: through
// properties, items and references inside the schema. v is not changed.
func withDefaults(schema map[string]any, v any) any {
	return fillDefaults(schema, schema, v, 0)
}

func fillDefaults(root map[string]any, schema any, v any, depth int) any {
	s, ok := schema.(map[string]any)
	if !ok || depth > MaxDepth {
		return v
	}
	if ref, ok := s["$ref"].(string); ok && strings.HasPrefix(ref, "#") {
		if target, ok := resolve(root, ref[1:]); ok {
			v = fillDefaults(root, target, v, depth+1)
		}
	}
	switch v := v.(type) {
	case map[string]any:
		props, _ := s["properties"].(map[string]any)
		out := make(map[string]any, len(v)+len(props))
		for k, m := range v {
			out[k] = m
		}
		for k, p := range props {
			cur, given := out[k]
			if !given {
				cur = member(p, "default")
			}
			if given || cur != nil {
				out[k] = fillDefaults(root, p, cur, depth+1)
			}
		}
		return out
	case []any:
		if s["items"] == nil {
			return v
		}
		out := make([]any, len(v))
		for i, el := range v {
			out[i] = fillDefaults(root, s["items"], el, depth+1)
		}
		return out
	}
	return v
}

// withoutEmpty returns v without the members that are null or "".
func withoutEmpty(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, m := range v {
			if m != nil && m != "" {
				out[k] = withoutEmpty(m)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, m := range v {
			out[i] = withoutEmpty(m)
		}
		return out
	default:
		return v
	}
}
