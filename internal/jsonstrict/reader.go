package jsonstrict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// reader walks the tokens of one document.
type reader struct {
	dec    jsontext.Decoder
	source bytes.Buffer // over data itself: the decoder does not copy from a bytes.Buffer
	data   []byte
	limits Limits
	values int
	depth  int
	plain  plain
}

// readers are kept because a decoder is large and every Execute needs one.
var readers = sync.Pool{New: func() any { return new(reader) }}

// read reads the whole document with value.
func read(data []byte, l Limits, value func(*reader) error) *Error {
	if l.Bytes > 0 && len(data) > l.Bytes {
		return &Error{Code: TooLarge, Message: fmt.Sprintf("it is %d bytes long, more than %d", len(data), l.Bytes)}
	}
	r := readers.Get().(*reader)
	r.open(data, l)
	defer func() {
		r.open(nil, Limits{}) // so that the pool holds on to no document
		r.plain.forget()
		readers.Put(r)
	}()
	if err := value(r); err != nil {
		return r.explain(err)
	}
	end := int(r.dec.InputOffset())
	if _, err := r.dec.ReadToken(); errors.Is(err, io.EOF) {
		return nil
	}
	e := r.explain(errTrailing)
	e.Offset = end
	return e
}

func (r *reader) open(data []byte, l Limits) {
	r.source = *bytes.NewBuffer(data)
	r.dec.Reset(&r.source)
	r.data, r.limits, r.values, r.depth = data, l, 0, 0
}

var errTrailing = errors.New("there is more after the JSON value")

// value reads one value into v, which may be nil. The error is an *Error or the
// decoder's.
func (r *reader) value(v *Value) error {
	kind := Kind(r.dec.PeekKind())
	if kind == KindObject || kind == KindArray {
		return r.container(kind, v)
	}
	raw, err := r.scalar(kind)
	if err != nil {
		return err
	}
	if v != nil {
		v.Kind, v.Start = kind, r.start(raw)
		switch kind {
		case KindNumber:
			v.Text = string(raw)
		case KindString:
			v.Text = unquote(raw)
		}
	}
	return nil
}

// scalar reads a value that is not a container.
func (r *reader) scalar(kind Kind) (jsontext.Value, error) {
	raw, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if err := r.count(); err != nil {
		return nil, err
	}
	switch {
	case kind == KindNumber && r.limits.Digits > 0 && !reasonable(raw, r.limits.Digits):
		return nil, r.refuse(NumberRange, "the number is too large or too long")
	case kind == KindString && r.limits.NoNUL && bytes.Contains(raw, []byte(`\u0000`)) && strings.ContainsRune(unquote(raw), 0):
		return nil, r.refuse(NULInText, "a text contains the character U+0000")
	}
	return raw, nil
}

// enter begins a container, and leave ends it.
func (r *reader) enter() error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	if err := r.count(); err != nil {
		return err
	}
	if r.depth++; r.limits.Depth > 0 && r.depth > r.limits.Depth {
		return r.refuse(TooDeep, fmt.Sprintf("it is nested more than %d deep", r.limits.Depth))
	}
	return nil
}

func (r *reader) leave() error {
	r.depth--
	_, err := r.dec.ReadToken()
	return err
}

func (r *reader) container(kind Kind, v *Value) error {
	if err := r.enter(); err != nil {
		return err
	}
	if v != nil {
		v.Kind, v.Start, v.Items = kind, int(r.dec.InputOffset())-1, []Value{}
		if next := r.dec.PeekKind(); next != '}' && next != ']' { // most have more than one
			v.Items = make([]Value, 0, 4)
			if kind == KindObject {
				v.Names = make([]string, 0, 4)
			}
		}
	}
	for next := r.dec.PeekKind(); next != '}' && next != ']'; next = r.dec.PeekKind() {
		if err := r.item(kind, v); err != nil {
			return err
		}
	}
	return r.leave()
}

// item reads an element of an array, or a member's name and value.
func (r *reader) item(kind Kind, v *Value) error {
	var name jsontext.Value
	if kind == KindObject {
		var err error
		if name, err = r.dec.ReadValue(); err != nil {
			return err
		}
	}
	if v == nil {
		return r.value(nil)
	}
	v.Items = append(v.Items, Value{})
	item := &v.Items[len(v.Items)-1]
	if kind == KindArray {
		return r.value(item)
	}
	v.Names = append(v.Names, unquote(name))
	start := r.start(name)
	err := r.value(item)
	item.Start = start
	return err
}

func (r *reader) count() error {
	if r.values++; r.limits.Values > 0 && r.values > r.limits.Values {
		return r.refuse(TooManyValues, fmt.Sprintf("it has more than %d values", r.limits.Values))
	}
	return nil
}

// start is the offset of what was just read.
func (r *reader) start(raw jsontext.Value) int { return int(r.dec.InputOffset()) - len(raw) }

// refuse returns a fault at the position that was just read.
func (r *reader) refuse(code Code, message string) *Error {
	return &Error{Code: code, Pointer: string(r.dec.StackPointer()), Offset: int(r.dec.InputOffset()), Message: message}
}

// explain returns why reading stopped, as an *Error.
func (r *reader) explain(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	syntactic, _ := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case len(bytes.TrimSpace(r.data)) == 0:
		return &Error{Code: NotJSON, Message: "it is empty", Suggestion: "send a JSON object"}
	case errors.Is(err, jsontext.ErrDuplicateName):
		return &Error{Code: DuplicateMember, Pointer: string(syntactic.JSONPointer), Offset: int(syntactic.ByteOffset),
			Message: quote(syntactic.JSONPointer.LastToken()) + " is given twice"}
	case !utf8.Valid(r.data):
		e := &Error{Code: NotUTF8, Offset: notUTF8(r.data), Message: "it is not UTF-8", Suggestion: "encode the body as UTF-8"}
		if syntactic != nil && int(syntactic.ByteOffset) == e.Offset { // and there is no grammar error before that
			e.Pointer = string(syntactic.JSONPointer)
		}
		return e
	case errors.Is(err, errTrailing):
		return &Error{Code: NotJSON, Message: errTrailing.Error()}
	}
	return syntax(r.data, syntactic)
}

// notUTF8 returns the position of the first byte that is not UTF-8.
func notUTF8(data []byte) (at int) {
	for {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size <= 1 {
			return at
		}
		at += size
	}
}

// syntax describes a grammar error in the words of encoding/json, which people know and find on the
// web.
func syntax(data []byte, found *jsontext.SyntacticError) *Error {
	e := &Error{Code: NotJSON, Suggestion: "send a JSON object"}
	detail := "unexpected end of JSON input"
	e.Offset = len(data)
	if found != nil && !errors.Is(found, io.ErrUnexpectedEOF) {
		var all json.RawMessage
		known, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(data, &all))
		if !ok { // the only remaining fault that encoding/json accepts
			return &Error{Code: NotUTF8, Pointer: string(found.JSONPointer), Offset: int(found.ByteOffset), Message: `it has half of a \u surrogate pair`, Suggestion: "encode the body as UTF-8"}
		}
		detail, e.Offset = known.Error(), int(known.Offset)-1
	}
	if found != nil {
		e.Pointer = string(found.JSONPointer)
	}
	e.Message = fmt.Sprintf("%s at byte %d", detail, e.Offset)
	return e
}

// reasonable reports whether a number fits Limits.Digits.
func reasonable(number []byte, digits int) bool {
	if len(number) > digits {
		return false
	}
	if at := bytes.IndexAny(number, "eE"); at >= 0 {
		if e, err := strconv.Atoi(string(number[at+1:])); err != nil || e < -400 || e > 400 {
			return false
		}
	}
	_, err := strconv.ParseFloat(string(number), 64)
	return err == nil
}

// unquote is the text of a valid JSON string.
func unquote(quoted jsontext.Value) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	text, _ := jsontext.AppendUnquote(nil, quoted) // cannot fail: the decoder has read it
	return string(text)
}
