package flow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// readYAML reads the part of YAML 1.2 that says the same as JSON: one document,
// string keys, no anchors, aliases, merge keys or tags. Dates stay strings.
func (d *document) readYAML(src []byte) error {
	var first yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(src))
	if err := dec.Decode(&first); errors.Is(err, io.EOF) {
		return nothing()
	} else if err != nil {
		return yamlSyntax(err)
	}
	if err := dec.Decode(new(yaml.Node)); err == nil {
		return &syntaxError{code: "several_documents", message: "the file holds more than one YAML document",
			suggested: "put each flow into a file of its own"}
	}
	if len(first.Content) == 0 {
		return nothing()
	}
	root, err := d.fromYAML(first.Content[0], "", 0)
	d.root = root
	return err
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

func yamlSyntax(err error) error {
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return &syntaxError{code: "syntax", message: "not YAML: " + err.Error()}
	}
	line, _ := strconv.Atoi(m[1]) // no number means no line
	return &syntaxError{line: line, code: "syntax", message: "not YAML: " + m[2]}
}

func (d *document) fromYAML(n *yaml.Node, ptr string, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, tooDeep(n.Line, ptr)
	}
	d.lines[ptr] = n.Line
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		return nil, &syntaxError{line: n.Line, pointer: ptr, code: "alias",
			message: "anchors and aliases are not allowed", suggested: "write the value out, or use a variable"}
	}
	switch n.Kind {
	case yaml.MappingNode:
		return d.yamlMapping(n, ptr, depth)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for i, c := range n.Content {
			v, err := d.fromYAML(c, jsonstrict.Pointer(ptr, i), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	default:
		return yamlScalar(n, ptr)
	}
}

func (d *document) yamlMapping(n *yaml.Node, ptr string, depth int) (any, error) {
	m := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.ShortTag() != "!!str" {
			return nil, &syntaxError{line: k.Line, pointer: ptr, code: "key_not_string",
				message: fmt.Sprintf("key %q is not a string", k.Value), suggested: "put it in quotes"}
		}
		p := jsonstrict.Pointer(ptr, k.Value)
		if _, ok := m[k.Value]; ok {
			return nil, duplicateKey(k.Line, p)
		}
		val, err := d.fromYAML(v, p, depth+1)
		if err != nil {
			return nil, err
		}
		d.lines[p] = k.Line
		m[k.Value] = val
	}
	return m, nil
}

func yamlScalar(n *yaml.Node, ptr string) (any, error) {
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return n.Value, nil
	case "!!null":
		return nil, nil
	case "!!bool", "!!int", "!!float":
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, &syntaxError{line: n.Line, pointer: ptr, code: "syntax", message: err.Error()}
		}
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return nil, &syntaxError{line: n.Line, pointer: ptr, code: "number",
				message: n.Value + " is not a number JSON knows", suggested: "put it in quotes if it is a text"}
		}
		return normal(v), nil
	default:
		return nil, &syntaxError{line: n.Line, pointer: ptr, code: "tag",
			message: "the YAML tag " + n.Tag + " is not allowed", suggested: "remove the tag"}
	}
}
