package jsonstrict

import (
	"cmp"
	"encoding"
	stdjson "encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Decode reads one JSON value into target, a pointer. Names match exactly, case included. A member
// the Go type does not have is a fault, and so is null, except where the type is a pointer or an
// interface. The error is an *Error for the first fault; target may then be filled in part.
func Decode(data []byte, l Limits, target any) error {
	if err := Check(data, l); err != nil {
		if err.Code == NotJSON {
			err.Message = "not valid JSON: " + err.Message
		}
		return err
	}
	err := json.Unmarshal(data, target, json.RejectUnknownMembers(true), json.WithUnmarshalers(refuseNull))
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return &Error{Code: Invalid, Message: err.Error()}
	}
	return fit(e)
}

var errNull = errors.New("must not be null")

// refuseNull takes precedence over the library's own rule, by which null zeroes the target.
var refuseNull = json.UnmarshalFromFunc(func(dec *jsontext.Decoder, target any) error {
	t := reflect.TypeOf(target).Elem()
	if dec.PeekKind() != 'n' || t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		return errors.ErrUnsupported // the library's own rule applies
	}
	return &json.SemanticError{GoType: t, Err: errNull}
})

// fit describes a value that does not fit its Go type, from the library's error.
func fit(e *json.SemanticError) *Error {
	out := &Error{Code: WrongType, Pointer: string(e.JSONPointer), Offset: int(e.ByteOffset)}
	want := kindFor(e.GoType)
	switch {
	case errors.Is(e.Err, json.ErrUnknownName):
		out.Code, out.Message = UnknownMember, "unknown member; known here: "+strings.Join(members(e.GoType), ", ")
	case errors.Is(e.Err, errNull) && want != "":
		out.Message = "must be " + want + ", not null"
	case want != "" && e.JSONKind != 0 && Kind(e.JSONKind).String() != want:
		out.Message = "must be " + want + ", not " + Kind(e.JSONKind).String()
	case len(e.JSONValue) > 0 && e.GoType != nil:
		out.Message = clip(string(e.JSONValue), 40) + " does not fit: a value of type " + e.GoType.String() + " is expected"
	case e.Err != nil:
		out.Code, out.Message = Invalid, e.Err.Error()
	default:
		out.Message = "does not fit here"
	}
	return out
}

// kindFor returns the kind of JSON that a type is written as; "" when the type itself decides.
func kindFor(t reflect.Type) string {
	if t == nil || reflect.PointerTo(t).Implements(reflect.TypeFor[stdjson.Unmarshaler]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return ""
	}
	switch t.Kind() {
	case reflect.Interface:
		return ""
	case reflect.Struct, reflect.Map:
		return KindObject.String()
	case reflect.Slice, reflect.Array:
		return KindArray.String()
	case reflect.String:
		return KindString.String()
	case reflect.Bool:
		return KindTrue.String()
	default:
		return KindNumber.String()
	}
}

// members are the names of a struct's fields in JSON, sorted.
func members(t reflect.Type) []string {
	var names []string
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.IsExported() && name != "-" {
			names = append(names, cmp.Or(name, field.Name))
		}
	}
	slices.Sort(names)
	return names
}
