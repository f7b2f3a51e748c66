package flow

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sort"
)

// jsonReader walks the tokens of a JSON text and notes where each value starts.
type jsonReader struct {
	dec   *json.Decoder
	src   []byte
	ends  []int // offsets of line ends
	lines map[string]int
}

func (d *document) readJSON(src []byte) error {
	r := &jsonReader{dec: json.NewDecoder(bytes.NewReader(src)), src: src, lines: d.lines}
	r.dec.UseNumber()
	for i, c := range src {
		if c == '\n' {
			r.ends = append(r.ends, i)
		}
	}
	root, err := r.value("", 0)
	if err != nil {
		return r.syntax(err)
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return &syntaxError{line: r.line(), code: "syntax", message: "not JSON: something follows the closing brace"}
	}
	d.root = root
	return nil
}

func (r *jsonReader) syntax(err error) error {
	var se *syntaxError
	if errors.As(err, &se) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &syntaxError{line: len(r.ends) + 1, code: "syntax", message: "not JSON: the text ends too early"}
	}
	return &syntaxError{line: r.line(), code: "syntax", message: "not JSON: " + err.Error()}
}

// line is the line of the token read last.
func (r *jsonReader) line() int {
	off := max(int(r.dec.InputOffset())-1, 0)
	return 1 + sort.SearchInts(r.ends, off)
}

func (r *jsonReader) value(ptr string, depth int) (any, error) {
	t, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	if _, ok := r.lines[ptr]; !ok { // a member's line is its key's
		r.lines[ptr] = r.line()
	}
	if depth > MaxDepth {
		return nil, tooDeep(r.line(), ptr)
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return r.object(ptr, depth)
		}
		return r.array(ptr, depth)
	case json.Number:
		n, err := number(t)
		if err != nil {
			return nil, &syntaxError{line: r.line(), pointer: ptr, code: "number", message: err.Error()}
		}
		return n, nil
	default:
		return t, nil
	}
}

func (r *jsonReader) object(ptr string, depth int) (any, error) {
	m := map[string]any{}
	for r.dec.More() {
		t, err := r.dec.Token()
		if err != nil {
			return nil, err
		}
		key, ok := t.(string)
		if !ok {
			return nil, &syntaxError{line: r.line(), pointer: ptr, code: "syntax", message: "not JSON: a key must be a string"}
		}
		p := pointer(ptr, key)
		if _, ok := m[key]; ok {
			return nil, duplicateKey(r.line(), p, key)
		}
		r.lines[p] = r.line()
		if m[key], err = r.value(p, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := r.dec.Token()
	return m, err
}

func (r *jsonReader) array(ptr string, depth int) (any, error) {
	list := []any{}
	for r.dec.More() {
		v, err := r.value(pointer(ptr, len(list)), depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := r.dec.Token()
	return list, err
}
