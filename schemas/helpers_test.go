package schemas

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// walk calls visit with every object below value that is where a schema can be, and with its JSON
// Pointer. Sample data and drawing hints are left out.
func walk(value any, pointer string, visit func(string, map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		visit(pointer, v)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if key == "examples" || key == "default" || key == "x-ui" || key == "const" || key == "enum" {
				if !strings.HasSuffix(pointer, "/properties") {
					continue
				}
			}
			walk(v[key], string(jsontext.Pointer(pointer).AppendToken(key)), visit)
		}
	case []any:
		for i, item := range v {
			walk(item, fmt.Sprintf("%s/%d", pointer, i), visit)
		}
	}
}

func asString(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}
