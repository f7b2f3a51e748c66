// Package jsonstrict reads all JSON documents that come from people and other programs.
//
// It refuses what encoding/json accepts: a member given twice, text that is not UTF-8 (including
// half of a \u surrogate pair), anything after the value, and whatever exceeds the caller's
// [Limits]. Nothing is built from a document before its size is known, and recursion is no deeper
// than the limit. Every [Error] says what is wrong, where (a JSON Pointer, RFC 6901, and a byte
// offset) and, where that is not obvious, what to do.
//
// [Check] only validates. [Parse] returns the document as a tree that keeps the order of members
// and the position of each value; [Plain] returns it as maps, slices and strings. [Read] hands out
// the members of an object by name and reports everything wrong with it at once. [Decode] fills a
// Go value and stops at the first fault.
//
// The grammar, UTF-8 and the search for duplicates are those of jsontext, which is encoding/json/jsontext from
// Go 1.27 on; docs/decisions/json.md says why.
package jsonstrict

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Limits bound a document; 0 means no limit.
type Limits struct {
	Bytes  int // of the whole document
	Depth  int // of nested objects and arrays
	Values int // scalars, objects and arrays together
	// Digits bounds the length of a number. With it, a number must also fit a float64 and its
	// exponent lie between -400 and 400: a validator that computes exactly needs minutes for
	// 1e-999999.
	Digits int
	// NoNUL refuses the character U+0000 in texts, which PostgreSQL does not store.
	NoNUL bool
}

// Code says what kind of fault an Error is. The codes are stable.
type Code string

// What can be wrong with the form of a document.
const (
	TooLarge        Code = "too_large"
	NotUTF8         Code = "not_utf8"
	NotJSON         Code = "not_json"
	TooDeep         Code = "too_deep"
	TooManyValues   Code = "too_many_values"
	DuplicateMember Code = "duplicate_member"
	NumberRange     Code = "number_range"
	NULInText       Code = "nul_in_text"
	UnknownMember   Code = "unknown_member"
	WrongType       Code = "type"
	MissingMember   Code = "required"
	Invalid         Code = "invalid" // by a caller's own rule
)

// Error is one thing wrong with a document.
type Error struct {
	Code       Code
	Pointer    string // where; empty is the whole document
	Offset     int    // of the byte where the reader stopped; 0 for faults found after reading
	Message    string // what is wrong, ready to follow "invalid document: "; of the document's values it contains only numbers
	Suggestion string // what to do; may be empty
}

// Error returns the message, after its pointer unless the message begins with that.
func (e *Error) Error() string {
	if e.Pointer == "" || strings.HasPrefix(e.Message, e.Pointer+" ") {
		return e.Message
	}
	return e.Pointer + ": " + e.Message
}

// Errorf builds an Error at a pointer, for checks made after reading.
func Errorf(pointer, format string, args ...any) *Error {
	return &Error{Code: Invalid, Pointer: pointer, Message: fmt.Sprintf(format, args...)}
}

// Check reads a document and keeps nothing of it.
func Check(data []byte, l Limits) *Error {
	return read(data, l, func(r *reader) error { return r.value(nil) })
}

// Parse reads a document into a tree.
func Parse(data []byte, l Limits) (*Value, *Error) {
	root := &Value{}
	if err := read(data, l, func(r *reader) error { return r.value(root) }); err != nil {
		return nil, err
	}
	return root, nil
}

// Kind is the kind of a Value.
type Kind byte

// The kinds of JSON values; as in the grammar, true and false are two.
const (
	KindNull   Kind = 'n'
	KindTrue   Kind = 't'
	KindFalse  Kind = 'f'
	KindString Kind = '"'
	KindNumber Kind = '0'
	KindObject Kind = '{'
	KindArray  Kind = '['
)

// String names the kind as messages do: "an object", "a number".
func (k Kind) String() string {
	switch k {
	case KindNull:
		return "null"
	case KindTrue, KindFalse:
		return "a boolean"
	case KindString:
		return "a string"
	case KindNumber:
		return "a number"
	case KindObject:
		return "an object"
	case KindArray:
		return "an array"
	}
	return "nothing"
}

// Value is one value of a parsed document.
type Value struct {
	Kind  Kind
	Text  string   // a string's text, a number's literal
	Start int      // the byte it starts at; for a member, that of its name
	Names []string // of an object's members, in the order they came
	Items []Value  // an object's members, in the order of Names, or an array's elements
}

// member finds a member of an object; nil if there is none.
func (v *Value) member(name string) *Value {
	if i := slices.Index(v.Names, name); i >= 0 {
		return &v.Items[i]
	}
	return nil
}

// describe names a value in a message: its kind, or for a number the number.
func (v *Value) describe() string {
	if v.Kind == KindNumber {
		return "the number " + clip(v.Text, 24)
	}
	return v.Kind.String()
}

// quote shortens and quotes a name from outside for a message.
func quote(name string) string { return strconv.Quote(clip(name, 40)) }

func clip(text string, limit int) string {
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return text
}
