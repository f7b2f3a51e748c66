package catalog

import (
	"maps"
	"slices"
	"strings"
)

// escape makes a member's name part of a JSON Pointer (RFC 6901, section 3).
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// orRoot names the whole document, whose pointer is empty.
func orRoot(pointer string) string {
	if pointer == "" {
		return "the document"
	}
	return pointer
}

// kindOf is JSON's name for what decodes into v.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int, int64:
		return "an integer"
	}
	return "an array"
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
