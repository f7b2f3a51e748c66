package schema

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// sentence describes a failed keyword: a code and what is wrong, without the value.
func sentence(k jsonschema.ErrorKind) (code, message string) {
	switch k := k.(type) {
	case *kind.Type:
		return "type", fmt.Sprintf("must be %s, not %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Enum:
		return "enum", "must be one of " + literals(k.Want...)
	case *kind.Const:
		return "const", "must be " + literals(k.Want)
	case *kind.MinLength:
		return "min_length", fmt.Sprintf("must have at least %s, has %d", count(k.Want, "character"), k.Got)
	case *kind.MaxLength:
		return "max_length", fmt.Sprintf("must have at most %s, has %d", count(k.Want, "character"), k.Got)
	case *kind.Pattern:
		return "pattern", "must match " + k.Want
	case *kind.Format:
		return "format", "is not a valid " + k.Want
	case *kind.MinItems:
		return "min_items", fmt.Sprintf("must have at least %s, has %d", count(k.Want, "element"), k.Got)
	case *kind.MaxItems:
		return "max_items", fmt.Sprintf("must have at most %s, has %d", count(k.Want, "element"), k.Got)
	case *kind.UniqueItems:
		return "unique_items", fmt.Sprintf("elements %d and %d are equal", k.Duplicates[0], k.Duplicates[1])
	case *kind.MinProperties:
		return "min_properties", fmt.Sprintf("must have at least %s, has %d", count(k.Want, "member"), k.Got)
	case *kind.MaxProperties:
		return "max_properties", fmt.Sprintf("must have at most %s, has %d", count(k.Want, "member"), k.Got)
	case *kind.Minimum:
		return "minimum", "must be at least " + number(k.Want)
	case *kind.Maximum:
		return "maximum", "must be at most " + number(k.Want)
	case *kind.ExclusiveMinimum:
		return "exclusive_minimum", "must be greater than " + number(k.Want)
	case *kind.ExclusiveMaximum:
		return "exclusive_maximum", "must be less than " + number(k.Want)
	case *kind.MultipleOf:
		return "multiple_of", "must be a multiple of " + number(k.Want)
	case *kind.Not:
		return "not", "has a shape that is not allowed"
	case *kind.Contains, *kind.MinContains:
		return "contains", "misses an element of the required shape"
	case *kind.MaxContains:
		return "max_contains", "has too many elements of one shape"
	case *kind.PropertyNames:
		return "property_names", "a member must not have this name"
	case *kind.AdditionalItems:
		return "additional_items", fmt.Sprintf("has %s too many", count(k.Count, "element"))
	case *kind.FalseSchema:
		return "not_allowed", "is not allowed here"
	}
	return "invalid", "does not match its schema"
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func number(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return fmt.Sprint(f)
}
