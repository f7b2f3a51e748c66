package schema

import (
	"encoding/json"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// fill sets the schema's defaults where the value has no member, and reports whether it did. It
// follows $ref, allOf, properties and items. oneOf and anyOf are left alone, because before
// validation the branch is unknown.
func fill(s *jsonschema.Schema, value any, depth int) (changed bool) {
	if s == nil || depth > MaxDepth {
		return false
	}
	if s.Ref != nil {
		changed = fill(s.Ref, value, depth+1)
	}
	for _, part := range s.AllOf {
		changed = fill(part, value, depth+1) || changed
	}
	switch v := value.(type) {
	case map[string]any:
		changed = fillObject(s, v, depth) || changed
	case []any:
		changed = fillArray(s, v, depth) || changed
	}
	return changed
}

func fillObject(s *jsonschema.Schema, object map[string]any, depth int) (changed bool) {
	for name, property := range s.Properties {
		if _, present := object[name]; !present {
			d := defaultOf(property)
			if d == nil {
				continue
			}
			object[name] = clone(*d)
			changed = true
		}
		changed = fill(property, object[name], depth+1) || changed
	}
	return changed
}

func fillArray(s *jsonschema.Schema, array []any, depth int) (changed bool) {
	for i, element := range array {
		switch {
		case i < len(s.PrefixItems):
			changed = fill(s.PrefixItems[i], element, depth+1) || changed
		case s.Items2020 != nil:
			changed = fill(s.Items2020, element, depth+1) || changed
		}
	}
	return changed
}

func defaultOf(s *jsonschema.Schema) *any {
	for range MaxDepth {
		if s == nil || s.Default != nil {
			break
		}
		s = s.Ref
	}
	if s == nil {
		return nil
	}
	return s.Default
}

// clone copies a default, which belongs to the schema, before it becomes part of
// a document.
func clone(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[name] = clone(member)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = clone(element)
		}
		return out
	case json.Number, string, bool, nil:
		return v
	}
	return value
}
