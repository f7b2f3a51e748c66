// Package strictjson decodes JSON the way a person who mistypes a field wants it decoded: an unknown, doubled or
// wrongly typed member is an error that names its place as a JSON Pointer (RFC 6901), never silently ignored.
//
// Member names match exactly, case included. null is refused except where the Go type is a pointer. Input ends with
// the one value.
package strictjson

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Error is what is wrong with the input, and where.
type Error struct {
	Pointer string // RFC 6901; empty for the whole document
	Message string // what was found and what is allowed
}

// Error implements error.
func (e *Error) Error() string {
	if e.Pointer == "" {
		return e.Message
	}
	return e.Pointer + ": " + e.Message
}

// Errorf builds an Error at a pointer; for checks that follow the decoding.
func Errorf(pointer, format string, args ...any) *Error {
	return &Error{Pointer: pointer, Message: fmt.Sprintf(format, args...)}
}

// Decode reads one JSON value into target, a non-nil pointer to a struct, slice or scalar. Errors are *Error.
func Decode(data []byte, target any) error {
	if err := syntax(data); err != nil {
		return err
	}
	return value(data, reflect.ValueOf(target).Elem(), "")
}

// syntax checks the whole input first, so that the walk below meets only well-formed JSON.
func syntax(data []byte) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return Errorf("", "the body is empty; a JSON value is expected")
	}
	var all json.RawMessage
	err := json.Unmarshal(data, &all)
	var se *json.SyntaxError
	if errors.As(err, &se) {
		return Errorf("", "not valid JSON at byte %d: %s", se.Offset, se)
	}
	if err != nil {
		return Errorf("", "not valid JSON: %s", err)
	}
	return nil
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func value(raw json.RawMessage, v reflect.Value, ptr string) error {
	raw = bytes.TrimSpace(raw)
	if v.Kind() == reflect.Pointer {
		if string(raw) == "null" {
			v.SetZero()
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		return value(raw, v.Elem(), ptr)
	}
	if p := reflect.PointerTo(v.Type()); p.Implements(jsonUnmarshaler) || p.Implements(textUnmarshaler) {
		if string(raw) == "null" {
			return Errorf(ptr, "must not be null")
		}
		return leaf(raw, v, ptr)
	}
	if want := wanted(v.Kind()); want != "" && want != kindOf(raw) {
		return Errorf(ptr, "must be %s, not %s", want, kindOf(raw))
	}
	switch v.Kind() {
	case reflect.Struct:
		return object(raw, v, ptr)
	case reflect.Slice:
		return array(raw, v, ptr)
	default:
		return leaf(raw, v, ptr)
	}
}

func leaf(raw json.RawMessage, v reflect.Value, ptr string) error {
	if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
		var te *json.UnmarshalTypeError
		if errors.As(err, &te) {
			return Errorf(ptr, "%s does not fit: a value of type %s is expected", clip(raw), te.Type)
		}
		return Errorf(ptr, "%s", err)
	}
	return nil
}

func object(raw json.RawMessage, v reflect.Value, ptr string) error {
	fields := members(v.Type())
	seen := make(map[string]bool, len(fields))
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return Errorf(ptr, "%s", err)
	}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return Errorf(ptr, "%s", err)
		}
		name, _ := tok.(string)
		at := ptr + "/" + escape(name)
		i, known := fields[name]
		if !known {
			return Errorf(at, "unknown member; known here: %s", names(fields))
		}
		if seen[name] {
			return Errorf(at, "given twice")
		}
		seen[name] = true
		var member json.RawMessage
		if err := dec.Decode(&member); err != nil {
			return Errorf(at, "%s", err)
		}
		if err := value(member, v.Field(i), at); err != nil {
			return err
		}
	}
	return nil
}

func array(raw json.RawMessage, v reflect.Value, ptr string) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return Errorf(ptr, "%s", err)
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for n := 0; dec.More(); n++ {
		at := ptr + "/" + strconv.Itoa(n)
		var element json.RawMessage
		if err := dec.Decode(&element); err != nil && !errors.Is(err, io.EOF) {
			return Errorf(at, "%s", err)
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if err := value(element, item, at); err != nil {
			return err
		}
		v.Set(reflect.Append(v, item))
	}
	return nil
}

// members maps the JSON names of a struct's exported fields to their indexes.
func members(t reflect.Type) map[string]int {
	out := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if t.Field(i).IsExported() && name != "" && name != "-" {
			out[name] = i
		}
	}
	return out
}

func names(fields map[string]int) string {
	list := make([]string, 0, len(fields))
	for name := range fields {
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func wanted(k reflect.Kind) string {
	switch k {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		return "an array"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Interface:
		return ""
	default:
		return "a number"
	}
}

func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}

func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func clip(raw json.RawMessage) string {
	const limit = 40
	if len(raw) > limit {
		return string(raw[:limit]) + "…"
	}
	return string(raw)
}
