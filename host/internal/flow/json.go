package flow

import (
	"encoding/json"
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
		return jsonFault(fault, ends.line(fault.Offset))
	}
	var err error
	d.root, err = d.fromJSON(tree, "", ends)
	return err
}

func jsonFault(fault *jsonstrict.Error, line int) *syntaxError {
	switch fault.Code {
	case jsonstrict.TooDeep:
		return tooDeep(line, fault.Pointer)
	case jsonstrict.DuplicateMember:
		return duplicateKey(line, fault.Pointer)
	case jsonstrict.NotUTF8: // read has looked at the bytes: it is the escapes
		return &syntaxError{line: line, pointer: fault.Pointer, code: "invalid_utf8", message: fault.Message, suggested: "write the character itself, or both escapes"}
	default:
		return &syntaxError{line: line, code: "syntax", message: "not JSON: " + fault.Message}
	}
}

// fromJSON notes the line of every value, which is for a member that of its key.
func (d *document) fromJSON(v *jsonstrict.Value, ptr string, ends lineIndex) (any, error) {
	line := ends.line(v.Start)
	d.lines[ptr] = line
	var err error
	switch v.Kind {
	case jsonstrict.KindObject:
		m := make(map[string]any, len(v.Names))
		for i, name := range v.Names {
			if m[name], err = d.fromJSON(&v.Items[i], jsonstrict.Pointer(ptr, name), ends); err != nil {
				return nil, err
			}
		}
		return m, nil
	case jsonstrict.KindArray:
		list := make([]any, len(v.Items))
		for i := range v.Items {
			if list[i], err = d.fromJSON(&v.Items[i], jsonstrict.Pointer(ptr, i), ends); err != nil {
				return nil, err
			}
		}
		return list, nil
	case jsonstrict.KindString:
		return v.Text, nil
	case jsonstrict.KindNumber:
		n, err := number(json.Number(v.Text))
		if err != nil {
			return nil, &syntaxError{line: line, pointer: ptr, code: "number", message: err.Error()}
		}
		return n, nil
	case jsonstrict.KindNull:
		return nil, nil
	default:
		return v.Kind == jsonstrict.KindTrue, nil
	}
}
