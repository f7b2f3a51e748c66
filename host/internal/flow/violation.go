package flow

import (
	"bytes"
	"cmp"
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

// schema is a compiled JSON Schema and the document it was compiled from.
type schema struct {
	compiled *jsonschema.Schema
	doc      any
}

// noLoader keeps schemas from reaching for files or the network.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: a schema may only refer to itself", url)
}

// compileSchema reads a JSON Schema 2020-12 that stands alone.
func compileSchema(name string, src []byte) (*schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", name, err)
	}
	return compileSchemaValue(name, doc)
}

func compileSchemaValue(name string, doc any) (*schema, error) {
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
	return &schema{s, doc}, nil
}

// violations lists every leaf once, by place. Of two about the same text, that
// it is too short says more than the pattern it does not match.
func (s *schema) violations(v any) []violation {
	var ve *jsonschema.ValidationError
	if err := s.compiled.Validate(v); err == nil || !errors.As(err, &ve) {
		return nil
	}
	out := s.leaves(ve)
	slices.SortStableFunc(out, func(a, b violation) int {
		return cmp.Or(strings.Compare(a.pointer, b.pointer), strings.Compare(a.code, b.code))
	})
	return slices.CompactFunc(out, func(b, a violation) bool { // a comes before b
		return a == b || a.pointer == b.pointer && a.code == "min_length" && b.code == "pattern"
	})
}

// example is what the schema itself suggests for the place of an error.
func (s *schema) example(e *jsonschema.ValidationError) string {
	_, fragment, _ := strings.Cut(e.SchemaURL, "#")
	sub, _ := resolve(s.doc, fragment)
	if ex := asList(member(sub, "examples")); len(ex) > 0 {
		return fmt.Sprintf("for example %q", text(ex[0]))
	}
	return ""
}

// leaves flattens the tree of causes. Of the branches of a oneOf or anyOf it
// keeps the one that came closest, which is the one the author meant.
func (s *schema) leaves(e *jsonschema.ValidationError) []violation {
	at := pointer("", anys(e.InstanceLocation)...)
	switch k := e.ErrorKind.(type) {
	case *kind.OneOf, *kind.AnyOf:
		if len(e.Causes) > 0 {
			var best []violation
			for i, c := range e.Causes {
				if l := s.leaves(c); i == 0 || len(l) < len(best) {
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
	case *kind.DependentRequired:
		var out []violation
		for _, m := range k.Missing {
			out = append(out, violation{pointer: pointer(at, m), code: "required", message: fmt.Sprintf("%s is missing, which %s needs", m, k.Prop)})
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
		return []violation{{pointer: at, code: keyword(e), message: e.ErrorKind.LocalizedString(english), suggestion: s.example(e)}}
	}
	var out []violation
	for _, c := range e.Causes {
		out = append(out, s.leaves(c)...)
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
