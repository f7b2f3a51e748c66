package schema

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// explainer describes what a validator found.
type explainer struct {
	schema   any // the source of the schema, for its examples
	document any
}

// explain turns the validator's tree into a flat list. Inner nodes only group; of several
// alternatives, only the branch that was meant is reported.
func (x explainer) explain(e *jsonschema.ValidationError) []Finding {
	at := pointer(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.OneOf:
		if len(k.Subschemas) > 0 {
			return []Finding{{Pointer: at, Code: "one_of", Message: "fits more than one of the allowed shapes"}}
		}
		return x.explainBranches(at, e.Causes)
	case *kind.AnyOf:
		return x.explainBranches(at, e.Causes)
	case *kind.Required:
		return missing(at, k.Missing, "")
	case *kind.DependentRequired:
		return missing(at, k.Missing, k.Prop)
	case *kind.PropertyNames:
		at = whereNamed(x.document, k.Property)
	case *kind.AdditionalProperties:
		var out []Finding
		for _, name := range k.Properties {
			out = append(out, Finding{Pointer: jsonstrict.Pointer(at, name), Code: "unknown_member", Message: fmt.Sprintf("%q is not known here", name), Suggestion: "check the spelling, or remove it"})
		}
		return out
	}
	if len(e.Causes) > 0 && !speaksForItself(e.ErrorKind) {
		var out []Finding
		for _, cause := range e.Causes {
			out = append(out, x.explain(cause)...)
		}
		return out
	}
	code, message := sentence(e.ErrorKind)
	return []Finding{{Pointer: at, Code: code, Message: message, Suggestion: x.example(e)}}
}

// example returns the example that the schema itself gives for a value that does not fit it.
func (x explainer) example(e *jsonschema.ValidationError) string {
	_, fragment, _ := strings.Cut(e.SchemaURL, "#")
	at, _ := jsonstrict.Resolve(x.schema, fragment)
	schema, _ := at.(map[string]any)
	if examples, _ := schema["examples"].([]any); len(examples) > 0 {
		return "for example " + literals(examples[0])
	}
	return ""
}

func missing(at string, names []string, because string) []Finding {
	var out []Finding
	for _, name := range names {
		message := name + " is missing"
		if because != "" {
			message += ", which " + because + " needs"
		}
		out = append(out, Finding{Pointer: jsonstrict.Pointer(at, name), Code: "required", Message: message})
	}
	return out
}

// explainBranches picks the branch whose constants and types fit best, because that is the one the
// writer meant. If two fit equally well, neither is picked.
func (x explainer) explainBranches(at string, branches []*jsonschema.ValidationError) []Finding {
	var best *jsonschema.ValidationError
	least, tie := 0, false
	for _, b := range branches {
		n := mismatches(b)
		switch {
		case best == nil || n < least:
			best, least, tie = b, n, false
		case n == least:
			tie = true
		}
	}
	if best == nil || tie {
		return []Finding{{Pointer: at, Code: "no_shape_fits", Message: "fits none of the allowed shapes"}}
	}
	return x.explain(best)
}

// mismatches counts the errors that suggest that another branch was meant.
func mismatches(e *jsonschema.ValidationError) int {
	n := 0
	switch e.ErrorKind.(type) {
	case *kind.Const, *kind.Enum, *kind.Type, *kind.FalseSchema:
		n = 1
	}
	for _, cause := range e.Causes {
		n += mismatches(cause)
	}
	return n
}

func speaksForItself(k jsonschema.ErrorKind) bool {
	switch k.(type) {
	case *kind.Not, *kind.Contains, *kind.MinContains, *kind.MaxContains, *kind.PropertyNames:
		return true
	}
	return false
}

func pointer(location []string) string {
	var b strings.Builder
	for _, name := range location {
		b.WriteByte('/')
		b.WriteString(jsonstrict.Escape(name))
	}
	return b.String()
}

// comparePointers orders by document position as far as a pointer shows it: array elements by
// number, members by name and after them, a parent before its children. It allocates nothing,
// because a document may have a million things wrong with it.
func comparePointers(a, b string) int {
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	token := strings.LastIndexByte(a[:same], '/') + 1 // the first token that may differ
	x, _, _ := strings.Cut(a[token:], "/")
	y, _, _ := strings.Cut(b[token:], "/")
	m, n := isIndex(x), isIndex(y)
	switch {
	case x == y:
		return cmp.Compare(len(a), len(b))
	case m && n && len(x) != len(y):
		return cmp.Compare(len(x), len(y))
	case m != n && m:
		return -1
	case m != n:
		return 1
	}
	return strings.Compare(x, y)
}

// isIndex reports whether a reference token is the index of an array element (RFC 6901, 4): digits
// without a leading zero, so that the longer of two is the larger number.
func isIndex(token string) bool {
	return token == "0" || token != "" && token[0] != '0' && strings.Trim(token, "0123456789") == ""
}

// literals lists values of the schema, never of the document.
func literals(values ...any) string {
	var out []string
	for _, v := range values {
		b, err := json.Marshal(v)
		if err != nil {
			continue
		}
		out = append(out, string(b))
	}
	return strings.Join(out, ", ")
}

// whereNamed returns the pointer to the only member with a name, anywhere in a value; "" when there
// are several. It replaces the location of a failed propertyNames, which jsonschema v6.0.3 reports
// in a slice that it later overwrites.
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
