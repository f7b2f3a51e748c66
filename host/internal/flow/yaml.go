package flow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// readYAML reads the subset of YAML 1.2 that is equivalent to JSON: one document, string keys, no
// anchors, aliases, merge keys or tags. Dates stay strings.
func (d *document) readYAML(src []byte) error {
	var first yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(src))
	if err := dec.Decode(&first); errors.Is(err, io.EOF) {
		return nothing()
	} else if err != nil {
		return yamlSyntax(src, err)
	}
	var next yaml.Node
	switch err := dec.Decode(&next); {
	case err == nil:
		return &syntaxError{line: next.Line, column: next.Column, code: "several_documents", message: "the file holds more than one YAML document",
			suggested: "put each flow into a file of its own"}
	case !errors.Is(err, io.EOF):
		after := yamlSyntax(src, err)
		return &syntaxError{line: after.line, column: after.column, code: "after_end", message: "something follows the end of the flow",
			suggested: "indent all top-level keys alike, and let nothing follow a line of three dots"}
	}
	if len(first.Content) == 0 {
		return nothing()
	}
	root, err := d.fromYAML(first.Content[0], "", 0)
	d.root = root
	return err
}

var (
	yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)
	// yamlParser matches the errors whose lines the library counts from 0.
	yamlParser = regexp.MustCompile(`^(did not find expected (<document|<stream|node content|key|'-'|',')|found incompatible)`)
)

// yamlSyntax explains a syntax error. Most are caused by texts that need quotes.
func yamlSyntax(src []byte, err error) *syntaxError {
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return &syntaxError{code: "syntax", message: "not YAML: " + err.Error()}
	}
	line, _ := strconv.Atoi(m[1]) // no number means no line
	if yamlParser.MatchString(m[2]) {
		line++
	}
	se := &syntaxError{line: line, code: "syntax", message: "not YAML: " + m[2]}
	lines := bytes.Split(src, []byte("\n"))
	if line > 0 && line <= len(lines) { // the library gives no column: take the one where the line's text begins
		text := lines[line-1]
		se.column = 1 + len(text) - len(bytes.TrimLeft(text, " "))
	}
	switch {
	case line > 0 && line <= len(lines) && bytes.ContainsAny(lines[line-1], "{["):
		se.suggested = `inside {…} and […], put a text with any of , : { } [ ] # into quotes, as in {message: "Hello, ${ vars.name }"}`
	case strings.Contains(m[2], "mapping values are not allowed"):
		se.suggested = `indent keys alike, and put a text with a colon into quotes, as in message: "Note: …"`
	}
	return se
}

func (d *document) fromYAML(n *yaml.Node, ptr string, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, tooDeep(n.Line, n.Column, ptr)
	}
	d.lines[ptr] = n.Line
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		return nil, &syntaxError{line: n.Line, column: n.Column, pointer: ptr, code: "alias",
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
			return nil, &syntaxError{line: k.Line, column: k.Column, pointer: ptr, code: "key_not_string",
				message: fmt.Sprintf("key %q is not a string", k.Value), suggested: "put it in quotes"}
		}
		p := jsonstrict.Pointer(ptr, k.Value)
		if n.Style&yaml.FlowStyle != 0 && v.ShortTag() == "!!null" && v.Value == "" && v.Anchor == "" {
			return nil, &syntaxError{line: k.Line, column: k.Column, pointer: p, code: "no_value", message: fmt.Sprintf("%q has no value", k.Value),
				suggested: "if it belongs to a text that has a comma, put that text into quotes"}
		}
		if _, ok := m[k.Value]; ok {
			return nil, duplicateKey(k.Line, k.Column, p)
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
			return nil, &syntaxError{line: n.Line, column: n.Column, pointer: ptr, code: "syntax", message: err.Error()}
		}
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return nil, &syntaxError{line: n.Line, column: n.Column, pointer: ptr, code: "number",
				message: n.Value + " is not a number JSON knows", suggested: "put it in quotes if it is a text"}
		}
		return normal(v), nil
	default:
		return nil, &syntaxError{line: n.Line, column: n.Column, pointer: ptr, code: "tag",
			message: "the YAML tag " + n.Tag + " is not allowed", suggested: "remove the tag"}
	}
}
