package flow

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// Limits of a flow file.
const (
	// MaxSize is the size of a flow file in bytes.
	MaxSize = 1 << 20
	// MaxDepth is how deep objects and lists may nest, as in the node contract.
	MaxDepth = 64
)

// document is a parsed file: JSON values (map[string]any, []any, string, int,
// float64, bool, nil) and the line of each by JSON Pointer.
type document struct {
	root  any
	lines map[string]int
}

// line returns the line of a pointer, or else of its nearest ancestor that has one; 0 if none has.
func (d *document) line(ptr string) int {
	for {
		if n, ok := d.lines[ptr]; ok {
			return n
		}
		i := bytes.LastIndexByte([]byte(ptr), '/')
		if i < 0 {
			return 0
		}
		ptr = ptr[:i]
	}
}

// syntaxError is a fault at which reading a file stops.
type syntaxError struct {
	line, column             int
	pointer                  string
	code, message, suggested string
}

func (e *syntaxError) Error() string { return e.message }

func (e *syntaxError) finding() Finding {
	return Finding{Pointer: e.pointer, Line: e.line, Column: e.column, Severity: SeverityError, Code: e.code, Message: e.message, Suggestion: e.suggested}
}

// read checks the size and the encoding, and picks the notation: a file that begins with a brace is
// JSON, any other is YAML.
func read(src []byte) (*document, *syntaxError) {
	if len(src) > MaxSize {
		return nil, &syntaxError{code: "too_large",
			message:   fmt.Sprintf("the file has %d bytes; a flow has at most %d", len(src), MaxSize),
			suggested: "move long texts out of the flow, or split it"}
	}
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if i := invalidUTF8(src); i >= 0 {
		return nil, &syntaxError{line: 1 + bytes.Count(src[:i], []byte("\n")), column: columnOf(src, i), code: "invalid_utf8",
			message: fmt.Sprintf("byte %d is not UTF-8", i), suggested: "save the file as UTF-8"}
	}
	trimmed := bytes.TrimLeft(src, " \t\r\n")
	if len(trimmed) == 0 {
		return nil, nothing()
	}
	d := &document{lines: map[string]int{}}
	var err error
	if trimmed[0] == '{' {
		err = d.readJSON(src)
	} else {
		err = d.readYAML(src)
	}
	if err != nil {
		var se *syntaxError
		if !errors.As(err, &se) {
			se = &syntaxError{code: "syntax", message: err.Error()}
		}
		return nil, se
	}
	return d, nil
}

// invalidUTF8 is the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(src []byte) int {
	if utf8.Valid(src) {
		return -1
	}
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// columnOf returns the column of an offset, in characters, counted from 1.
func columnOf(src []byte, offset int) int {
	offset = min(offset, len(src))
	return 1 + utf8.RuneCount(src[bytes.LastIndexByte(src[:offset], '\n')+1:offset])
}

func nothing() *syntaxError {
	return &syntaxError{code: "empty", message: "the file is empty", suggested: "start with apiVersion: flow/v1"}
}

func tooDeep(line, column int, ptr string) *syntaxError {
	return &syntaxError{line: line, column: column, pointer: ptr, code: "too_deep",
		message: fmt.Sprintf("nested more than %d deep", MaxDepth), suggested: "flatten the structure"}
}

func duplicateKey(line, column int, ptr string) *syntaxError {
	names, _ := jsonstrict.Tokens(ptr)
	return &syntaxError{line: line, column: column, pointer: ptr, code: "duplicate_key",
		message: fmt.Sprintf("key %q is given twice", names[len(names)-1]), suggested: "keep one of the two"}
}

// nameNodes sets the Node of each finding whose place is in a node.
func (d *document) nameNodes(findings []Finding) []Finding {
	nodes := asList(member(d.root, "nodes"))
	for i, f := range findings {
		rest, ok := strings.CutPrefix(f.Pointer, "/nodes/")
		index, _, _ := strings.Cut(rest, "/")
		if n, err := strconv.Atoi(index); ok && err == nil && n >= 0 && n < len(nodes) {
			findings[i].Node, _ = member(nodes[n], "id").(string)
		}
	}
	return findings
}
