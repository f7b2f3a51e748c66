package flow

import (
	"encoding/json"
	"errors"
	"sort"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// lineIndex holds the offsets of the line ends of a text.
type lineIndex []int

func indexLines(src []byte) lineIndex {
	var ends lineIndex
	for i, c := range src {
		if c == '\n' {
			ends = append(ends, i)
		}
	}
	return ends
}

func (ends lineIndex) line(offset int) int { return 1 + sort.SearchInts(ends, offset) }

func (d *document) readJSON(src []byte) error {
	ends := indexLines(src)
	tree, fault := jsonstrict.Parse(src, jsonstrict.Limits{Depth: MaxDepth})
	if fault != nil {
		return jsonFault(fault, ends.line(fault.Offset), columnOf(src, fault.Offset))
	}
	d.note(tree, "", ends)
	var err error
	d.root, err = valueOf(tree)
	if bad, ok := errors.AsType[*evalError](err); ok {
		return &syntaxError{line: d.lines[bad.pointer], pointer: bad.pointer, code: "number", message: bad.err.Error()}
	}
	return err
}

// readStrict parses JSON that is not a flow file as strictly as a flow file. Nothing may nest more
// than depth deep.
func readStrict(src []byte, depth int) (any, error) {
	v, fault := jsonstrict.Plain(src, jsonstrict.Limits{Depth: depth}, func(literal string) (any, error) { return number(json.Number(literal)) })
	if fault != nil {
		return nil, fault
	}
	return v, nil
}

func jsonFault(fault *jsonstrict.Error, line, column int) *syntaxError {
	switch fault.Code {
	case jsonstrict.TooDeep:
		return tooDeep(line, column, fault.Pointer)
	case jsonstrict.DuplicateMember:
		return duplicateKey(line, column, fault.Pointer)
	case jsonstrict.NotUTF8: // read has checked the bytes, so an escape is at fault
		return &syntaxError{line: line, column: column, pointer: fault.Pointer, code: "invalid_utf8", message: fault.Message, suggested: "write the character itself, or both escapes"}
	default:
		return &syntaxError{line: line, column: column, code: "syntax", message: "not JSON: " + fault.Message}
	}
}

// note records the line of every value; for a member, that of its key.
func (d *document) note(v *jsonstrict.Value, ptr string, ends lineIndex) {
	d.lines[ptr] = ends.line(v.Start)
	for i := range v.Items {
		var token any = i
		if v.Kind == jsonstrict.KindObject {
			token = v.Names[i]
		}
		d.note(&v.Items[i], jsonstrict.Pointer(ptr, token), ends)
	}
}

// valueOf converts a value to the types that flows work with. The error is an *evalError.
func valueOf(v *jsonstrict.Value) (any, error) {
	var err error
	switch v.Kind {
	case jsonstrict.KindObject:
		m := make(map[string]any, len(v.Names))
		for i, name := range v.Names {
			if m[name], err = valueOf(&v.Items[i]); err != nil {
				return nil, within(name, err)
			}
		}
		return m, nil
	case jsonstrict.KindArray:
		list := make([]any, len(v.Items))
		for i := range v.Items {
			if list[i], err = valueOf(&v.Items[i]); err != nil {
				return nil, within(i, err)
			}
		}
		return list, nil
	case jsonstrict.KindString:
		return v.Text, nil
	case jsonstrict.KindNumber:
		n, err := number(json.Number(v.Text))
		if err != nil {
			return nil, &evalError{err: err}
		}
		return n, nil
	case jsonstrict.KindNull:
		return nil, nil
	default:
		return v.Kind == jsonstrict.KindTrue, nil
	}
}
