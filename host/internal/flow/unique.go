package flow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// duplicates applies the keyword x-uniqueBy of this project's schemas: a list of
// JSON Pointers whose values must differ between the items of an array. It looks
// at the properties of the schema's top level, which is where forms have lists.
func duplicates(schema map[string]any, v any) []violation {
	var out []violation
	props := properties(schema)
	for _, name := range slices.Sorted(maps.Keys(props)) {
		list := asList(member(v, name))
		for _, by := range asList(member(props[name], "x-uniqueBy")) {
			ptr, _ := by.(string)
			seen := map[any]int{}
			for i, item := range list {
				val, ok := resolve(item, ptr)
				s, isText := val.(string)
				if !ok || !isText {
					continue
				}
				if first, dup := seen[s]; dup {
					out = append(out, violation{pointer: pointer("", name, i) + ptr, code: "duplicate",
						message:    fmt.Sprintf("%s %q is already that of %s/%d", strings.TrimPrefix(ptr, "/"), s, name, first),
						suggestion: "give each its own"})
					continue
				}
				seen[s] = i
			}
		}
	}
	return out
}
