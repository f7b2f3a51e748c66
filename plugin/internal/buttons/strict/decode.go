// Package strict reads a JSON object that came from outside and says everything
// that is wrong with its form at once, each with a JSON Pointer (RFC 6901).
//
// It refuses what encoding/json lets pass: members nobody asked for, members
// given twice, text that is not UTF-8 (also as half of a surrogate pair), U+0000
// and anything after the object. Size, depth and number of values are bounded
// before anything is built from them.
package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a document. Size and depth (of objects and arrays in one another) are
// the contract's.
const (
	MaxBytes  = 16 << 20
	MaxDepth  = 64
	maxValues = 10_000 // far above any request, far below what hurts
	maxFaults = 20     // a longer list helps nobody
)

// Fault is one thing wrong with the form of a document.
type Fault struct {
	Pointer    string // where; empty is the whole document
	Detail     string // what, ready to follow "Invalid request body: "
	Suggestion string // what to do; may be empty
}

// object keeps the members in the order they came, so that faults are reported
// in the order a reader meets them.
type object struct {
	names  []string
	values map[string]any
}

type decoder struct {
	json   *json.Decoder
	values int
}

// decode builds the tree of a document: *object, []any, string, json.Number,
// bool, nil.
func decode(data []byte) (any, *Fault) {
	if len(data) > MaxBytes {
		return nil, &Fault{Detail: fmt.Sprintf("it is %d bytes long, more than %d", len(data), MaxBytes)}
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, &Fault{Detail: "it is empty", Suggestion: "send a JSON object"}
	}
	if !utf8.Valid(data) {
		return nil, &Fault{Detail: "it is not UTF-8", Suggestion: "encode the body as UTF-8"}
	}
	if halfSurrogate(data) {
		return nil, &Fault{Detail: `it has half of a \u surrogate pair`, Suggestion: "encode the body as UTF-8"}
	}
	d := decoder{json: json.NewDecoder(bytes.NewReader(data))}
	d.json.UseNumber()
	value, fault := d.value("", 1)
	if fault != nil {
		return nil, fault
	}
	if _, err := d.json.Token(); !errors.Is(err, io.EOF) {
		return nil, &Fault{Detail: "there is more after the JSON value"}
	}
	return value, nil
}

func (d *decoder) value(pointer string, depth int) (any, *Fault) {
	if d.values++; d.values > maxValues {
		return nil, &Fault{Pointer: pointer, Detail: fmt.Sprintf("it has more than %d values", maxValues)}
	}
	token, fault := d.token(pointer)
	if fault != nil {
		return nil, fault
	}
	switch t := token.(type) {
	case json.Delim:
		if depth > MaxDepth {
			return nil, &Fault{Pointer: pointer, Detail: fmt.Sprintf("it is nested more than %d deep", MaxDepth)}
		}
		if t == '{' {
			return d.object(pointer, depth)
		}
		return d.array(pointer, depth)
	case string:
		if strings.ContainsRune(t, 0) {
			return nil, &Fault{Pointer: pointer, Detail: "a text contains the character U+0000"}
		}
	}
	return token, nil
}

func (d *decoder) object(pointer string, depth int) (any, *Fault) {
	o := &object{values: map[string]any{}}
	for d.json.More() {
		token, fault := d.token(pointer)
		if fault != nil {
			return nil, fault
		}
		name := token.(string) // a Decoder lets nothing else stand before a colon
		member := pointer + "/" + escape(name)
		if _, twice := o.values[name]; twice {
			return nil, &Fault{Pointer: member, Detail: quote(name) + " is given twice"}
		}
		value, fault := d.value(member, depth+1)
		if fault != nil {
			return nil, fault
		}
		o.names = append(o.names, name)
		o.values[name] = value
	}
	_, fault := d.token(pointer)
	return o, fault
}

func (d *decoder) array(pointer string, depth int) (any, *Fault) {
	items := []any{}
	for d.json.More() {
		item, fault := d.value(pointer+"/"+strconv.Itoa(len(items)), depth+1)
		if fault != nil {
			return nil, fault
		}
		items = append(items, item)
	}
	_, fault := d.token(pointer)
	return items, fault
}

// token reads on and words the syntax errors.
func (d *decoder) token(pointer string) (json.Token, *Fault) {
	token, err := d.json.Token()
	if err == nil {
		return token, nil
	}
	detail := strings.TrimPrefix(err.Error(), "json: ")
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		detail = "unexpected end of JSON input"
	}
	return nil, &Fault{
		Pointer:    pointer,
		Detail:     fmt.Sprintf("%s at byte %d", detail, d.json.InputOffset()),
		Suggestion: "send a JSON object",
	}
}

// halfSurrogate finds \ud800 to \udfff outside a pair, which encoding/json would
// replace without a word. A backslash in JSON stands only inside a string, so the
// escapes can be read without parsing.
func halfSurrogate(data []byte) bool {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		i++ // whatever is escaped, it is not the start of an escape
		unit, ok := escaped(data[i-1:])
		if !ok || unit < 0xd800 || unit > 0xdfff {
			continue
		}
		low, ok := escaped(data[i+5:])
		if unit > 0xdbff || !ok || low < 0xdc00 || low > 0xdfff {
			return true
		}
		i += 10 // rest of this escape, and the low half
	}
	return false
}

// escaped reads a \uXXXX at the start of data.
func escaped(data []byte) (uint64, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return unit, err == nil
}

func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// quote cuts a name from outside to something one can put into a message.
func quote(name string) string {
	const limit = 40
	if runes := []rune(name); len(runes) > limit {
		name = string(runes[:limit]) + "…"
	}
	return strconv.Quote(name)
}
