package schema

import (
	"strconv"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// whereNamed finds the one member of a name, anywhere in a value; "" when there
// are several. It stands in for the location of a failed propertyNames, which
// jsonschema v6.0.3 reports in a slice that it goes on writing to.
func whereNamed(value any, name string) string {
	if found := membersNamed(value, name, ""); len(found) == 1 {
		return found[0]
	}
	return ""
}

func membersNamed(value any, name, at string) (found []string) {
	switch v := value.(type) {
	case map[string]any:
		for member, inner := range v {
			here := jsonstrict.Pointer(at, member)
			if member == name {
				found = append(found, here)
			}
			found = append(found, membersNamed(inner, name, here)...)
		}
	case []any:
		for i, element := range v {
			found = append(found, membersNamed(element, name, at+"/"+strconv.Itoa(i))...)
		}
	}
	return found
}
