package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Finding is one thing wrong with a document.
type Finding struct {
	Pointer    string // RFC 6901; "" is the whole document
	Code       string // stable, snake_case
	Message    string // what is wrong
	Suggestion string // what to do; may be empty
}

// Schema is a compiled JSON Schema. The nil Schema and that of an empty text
// accept every document.
type Schema struct {
	root     *jsonschema.Schema
	defaults bool // it has any default to fill in
}

// Compile reads a JSON Schema 2020-12. An empty text is the schema that accepts
// every document.
func Compile(text []byte) (*Schema, error) {
	if len(text) == 0 {
		return &Schema{}, nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the schema is not JSON: %w", err)
	}
	const here = "schema.json"
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	if err := c.AddResource(here, doc); err != nil {
		return nil, err
	}
	root, err := c.Compile(here)
	if err != nil {
		return nil, err
	}
	return &Schema{root: root, defaults: bytes.Contains(text, []byte(`"default"`))}, nil
}

// noLoader refuses references that leave the schema.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: a schema must not refer to another file", url)
}

// Check checks a document against the contract's limits and the schema. It
// returns the document with the schema's defaults filled in (the same bytes if
// there was nothing to fill in), or everything wrong with it. An empty document
// is {}.
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
	if err := s.root.Validate(value); err != nil {
		return nil, findings(err, value)
	}
	if !filled {
		return document, nil
	}
	if document, err = json.Marshal(value); err != nil {
		return nil, []Finding{{Code: "invalid", Message: "the defaults of the schema are not JSON"}}
	}
	return document, nil
}

func findings(err error, value any) []Finding {
	failed, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return []Finding{{Code: "invalid", Message: "the document does not match its schema"}}
	}
	out := explain(failed, value)
	slices.SortStableFunc(out, func(a, b Finding) int { return comparePointers(a.Pointer, b.Pointer) })
	return slices.CompactFunc(out, func(a, b Finding) bool { return a == b })
}
