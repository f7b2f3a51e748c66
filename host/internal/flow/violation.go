package flow

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// violation is one leaf of a failed JSON Schema validation.
type violation struct {
	pointer, code, message, suggestion string
}

// noLoader keeps schemas from reaching for files or the network.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: a schema may only refer to itself", url)
}

// compileSchema reads a JSON Schema 2020-12 that stands alone.
func compileSchema(name string, src []byte) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", name, err)
	}
	return compileSchemaValue(name, doc)
}

func compileSchemaValue(name string, doc any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.AssertFormat()
	url := "tapnode:" + strings.NewReplacer("@", "-", "#", "-").Replace(name)
	if err := c.AddResource(url, doc); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", name, err)
	}
	s, err := c.Compile(url)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", name, err)
	}
	return s, nil
}

// violations lists every leaf once, in the order of the instance.
func violations(s *jsonschema.Schema, v any) []violation {
	var ve *jsonschema.ValidationError
	if err := s.Validate(v); err == nil || !errors.As(err, &ve) {
		return nil
	}
	out := leaves(ve)
	slices.SortStableFunc(out, func(a, b violation) int { return strings.Compare(a.pointer, b.pointer) })
	return slices.Compact(out)
}

// leaves flattens the tree of causes. Of the branches of a oneOf or anyOf it
// keeps the one that came closest, which is the one the author meant.
func leaves(e *jsonschema.ValidationError) []violation {
	at := pointer("", anys(e.InstanceLocation)...)
	switch k := e.ErrorKind.(type) {
	case *kind.OneOf, *kind.AnyOf:
		if len(e.Causes) > 0 {
			var best []violation
			for i, c := range e.Causes {
				if l := leaves(c); i == 0 || len(l) < len(best) {
					best = l
				}
			}
			return best
		}
	case *kind.Required:
		var out []violation
		for _, m := range k.Missing {
			out = append(out, violation{pointer: pointer(at, m), code: "required", message: fmt.Sprintf("%s is missing", m)})
		}
		return out
	case *kind.AdditionalProperties:
		var out []violation
		for _, p := range k.Properties {
			out = append(out, violation{pointer: pointer(at, p), code: "unknown_member", message: fmt.Sprintf("%q is not known here", p),
				suggestion: "check the spelling, or remove it"})
		}
		return out
	}
	if len(e.Causes) == 0 {
		return []violation{{pointer: at, code: keyword(e), message: e.ErrorKind.LocalizedString(english)}}
	}
	var out []violation
	for _, c := range e.Causes {
		out = append(out, leaves(c)...)
	}
	return out
}

var english = message.NewPrinter(language.English)

// keyword names the schema keyword in snake_case: maxLength is max_length.
func keyword(e *jsonschema.ValidationError) string {
	path := e.ErrorKind.KeywordPath()
	if len(path) == 0 {
		return "schema"
	}
	var b strings.Builder
	for _, r := range path[0] {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func anys(tokens []string) []any {
	out := make([]any, len(tokens))
	for i, t := range tokens {
		out[i] = t
	}
	return out
}
