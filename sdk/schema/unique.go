package schema

import (
	"maps"
	"slices"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// duplicates applies the keyword x-uniqueBy of this project's schemas: a list of JSON Pointers
// whose texts must differ between the elements of an array. It is supported on the properties of
// the schema's top level, which is where forms have lists.
func duplicates(schema, document any) (out []Finding) {
	properties, _ := member(schema, "properties").(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		list, _ := member(document, name).([]any)
		keys, _ := member(properties[name], "x-uniqueBy").([]any)
		for _, key := range keys {
			pointer, _ := key.(string)
			first := map[string]string{}
			for i, element := range list {
				found, _ := jsonstrict.Resolve(element, pointer)
				text, ok := found.(string)
				if !ok {
					continue
				}
				at := jsonstrict.Pointer("", name, i) + pointer
				if other, twice := first[text]; twice {
					out = append(out, Finding{Pointer: at, Code: "duplicate", Message: "is the same as " + other, Suggestion: "give each its own"})
					continue
				}
				first[text] = at
			}
		}
	}
	return out
}

// member returns a member of an object; nil if there is none or value is not an object.
func member(value any, name string) any {
	object, _ := value.(map[string]any)
	return object[name]
}
