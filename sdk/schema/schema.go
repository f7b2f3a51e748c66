package schema

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// Finding is one thing wrong with a document.
type Finding struct {
	Pointer    string // RFC 6901; "" is the whole document
	Code       string // stable, snake_case
	Message    string // what is wrong
	Suggestion string // what to do; may be empty
}

// Schema is a compiled JSON Schema. The nil Schema and the Schema of an empty text accept every
// document.
type Schema struct {
	root     *jsonschema.Schema
	source   any  // what root was compiled from
	defaults bool // it may have a default to fill in
}

// Option changes how a schema is read.
type Option struct{ apply func(*jsonschema.Compiler) }

// AssertFormats makes format an assertion instead of an annotation.
func AssertFormats() Option { return Option{(*jsonschema.Compiler).AssertFormat} }

// Compile compiles a JSON Schema 2020-12. An empty text is the schema that accepts every document.
func Compile(text []byte, options ...Option) (*Schema, error) {
	if len(text) == 0 {
		return &Schema{}, nil
	}
	source, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the schema is not JSON: %w", err)
	}
	s, err := CompileValue(source, options...)
	if err != nil {
		return nil, err
	}
	s.defaults = bytes.Contains(text, []byte(`"default"`))
	return s, nil
}

// CompileValue is Compile for a schema that is already decoded into map[string]any, []any, string,
// bool, nil and any type of number. source must not change afterwards. Defaults have the number
// types of source.
func CompileValue(source any, options ...Option) (*Schema, error) {
	const here = "tapnode:schema" // a path would show up in errors
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	for _, option := range options {
		option.apply(c)
	}
	if err := c.AddResource(here, source); err != nil {
		return nil, err
	}
	root, err := c.Compile(here)
	if err != nil {
		return nil, err
	}
	return &Schema{root: root, source: source, defaults: true}, nil
}

// noLoader refuses references that leave the schema.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: a schema may only refer to itself", url)
}

// Check checks a document against the contract's limits and the schema. It returns the document
// with the schema's defaults filled in (the same bytes if there was nothing to fill in), or
// everything wrong with it. An empty document counts as {}.
func (s *Schema) Check(document []byte) ([]byte, []Finding) {
	if len(document) == 0 {
		document = []byte("{}")
	}
	if f := Document(document); f != nil {
		return nil, []Finding{*f}
	}
	return s.CheckValue(document)
}

// CheckValue is Check for a document that has passed [Document].
func (s *Schema) CheckValue(document []byte) ([]byte, []Finding) {
	if s == nil || s.root == nil {
		return document, nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, []Finding{{Code: "not_json", Message: "the document is not JSON"}}
	}
	filled := s.defaults && fill(s.root, value, 0)
	if out := s.Findings(value); len(out) > 0 {
		return nil, out
	}
	if !filled {
		return document, nil
	}
	if document, err = json.Marshal(value); err != nil {
		return nil, []Finding{{Code: "invalid", Message: "the defaults of the schema are not JSON"}}
	}
	return document, nil
}

// Findings returns everything wrong with a value that is already decoded into the types
// CompileValue takes; nil if it fits. No defaults are filled in.
func (s *Schema) Findings(value any) []Finding {
	if s == nil || s.root == nil {
		return nil
	}
	out := duplicates(s.source, value)
	if err := s.root.Validate(value); err != nil {
		failed, ok := errors.AsType[*jsonschema.ValidationError](err)
		if !ok {
			return []Finding{{Code: "invalid", Message: "the document does not match its schema"}}
		}
		out = append(out, explainer{schema: s.source, document: value}.explain(failed)...)
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(comparePointers(a.Pointer, b.Pointer), strings.Compare(a.Code, b.Code))
	})
	return slices.CompactFunc(out, func(b, a Finding) bool { // a comes before b
		// That a text is too short says more than that it does not match a pattern.
		return a == b || a.Pointer == b.Pointer && a.Code == "min_length" && b.Code == "pattern"
	})
}

// WithDefaults returns a copy of a decoded value with the schema's defaults filled in.
func (s *Schema) WithDefaults(value any) any {
	value = clone(value)
	if s != nil && s.root != nil && s.defaults {
		fill(s.root, value, 0)
	}
	return value
}

// Limits of a document.
const (
	MaxBytes = 16 << 20 // the contract's message limit
	MaxDepth = 64       // nested objects and arrays
)

var limits = jsonstrict.Limits{Bytes: MaxBytes, Depth: MaxDepth, Digits: 1000}

// Document checks that b is a document of the contract: one JSON object, UTF-8, within the limits,
// without duplicate members, and without numbers that exceed a float64 or a thousand digits. It
// returns at most one finding, because after the first fault nothing else can be read reliably. It
// does not look at any schema.
func Document(b []byte) *Finding {
	if e := jsonstrict.Check(b, limits); e != nil {
		return &Finding{Pointer: e.Pointer, Code: string(e.Code), Message: "the document cannot be read: " + e.Message, Suggestion: e.Suggestion}
	}
	if bytes.TrimLeft(b, " \t\r\n")[0] != '{' {
		return &Finding{Code: "not_an_object", Message: "the document must be a JSON object", Suggestion: "wrap it in { }"}
	}
	return nil
}
