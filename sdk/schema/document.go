package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a document.
const (
	MaxBytes = 16 << 20 // the contract's message limit
	MaxDepth = 64       // objects and arrays inside each other
)

// Document checks that b is a document of the contract: one JSON object, UTF-8,
// within the limits, no member twice, no number beyond a float64 or a thousand digits. It answers with at most one finding,
// because after the first nothing else can be read reliably. It does not look at
// any schema.
func Document(b []byte) *Finding {
	switch {
	case len(b) > MaxBytes:
		return &Finding{Code: "too_large", Message: fmt.Sprintf("the document has %d bytes, the limit is %d", len(b), MaxBytes)}
	case !utf8.Valid(b):
		return &Finding{Code: "not_utf8", Message: "the document is not UTF-8", Suggestion: "encode it as UTF-8"}
	}
	if f := tooDeep(b); f != nil {
		return f
	}
	if !json.Valid(b) {
		return &Finding{Code: "not_json", Message: "the document is not JSON: " + syntaxError(b)}
	}
	if bytes.TrimLeft(b, " \t\r\n")[0] != '{' {
		return &Finding{Code: "not_an_object", Message: "the document must be a JSON object", Suggestion: "wrap it in { }"}
	}
	return scan(b)
}

func syntaxError(b []byte) string {
	var v json.RawMessage
	err := json.Unmarshal(b, &v)
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("%v at byte %d", s, s.Offset)
	}
	return "it ends too early"
}

// tooDeep runs before the parser, whose recursion it bounds.
func tooDeep(b []byte) *Finding {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return &Finding{Code: "too_deep", Message: fmt.Sprintf("the document is nested more than %d deep", MaxDepth)}
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// frame is one open object or array of a valid document.
type frame struct {
	names map[string]struct{} // nil for an array
	name  string              // the member being read
	index int                 // the element being read
}

// reasonable refuses numbers that no float64 holds or that have a thousand
// digits: a validator that computes exactly needs minutes for 1e-999999.
func reasonable(number string) bool {
	if len(number) > 1000 {
		return false
	}
	if at := strings.IndexAny(number, "eE"); at >= 0 {
		if e, err := strconv.Atoi(number[at+1:]); err != nil || e < -400 || e > 400 {
			return false
		}
	}
	_, err := strconv.ParseFloat(number, 64)
	return err == nil
}

// scan finds the first member that appears twice in its object and the first
// number that is not reasonable. b is valid JSON, so a string is a name exactly when its object
// waits for one.
func scan(b []byte) *Finding {
	var open [MaxDepth]frame
	depth, wantName := 0, false
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{':
			open[depth] = frame{names: map[string]struct{}{}}
			depth++
			wantName = true
		case '[':
			open[depth] = frame{}
			depth++
			wantName = false
		case '}', ']':
			depth--
			wantName = false
		case ',':
			top := &open[depth-1]
			wantName = top.names != nil
			top.index++
		case '"':
			end := stringEnd(b, i)
			if wantName {
				top := &open[depth-1]
				top.name = unquote(b[i:end])
				if _, twice := top.names[top.name]; twice {
					return &Finding{Pointer: pointerTo(open[:depth]), Code: "duplicate_member", Message: "the member appears twice", Suggestion: "keep one of them"}
				}
				top.names[top.name] = struct{}{}
				wantName = false
			}
			i = end - 1
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			end := i
			for end < len(b) && strings.IndexByte("+-.0123456789eE", b[end]) >= 0 {
				end++
			}
			if !reasonable(string(b[i:end])) {
				return &Finding{Pointer: pointerTo(open[:depth]), Code: "number_range", Message: "the number is too large or too long"}
			}
			i = end - 1
		}
	}
	return nil
}

// stringEnd returns the index after the closing quote of the string at i.
func stringEnd(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return string(quoted)
	}
	return s
}

func pointerTo(open []frame) string {
	var p []byte
	for _, f := range open {
		if f.names != nil {
			p = append(append(p, '/'), Escape(f.name)...)
		} else {
			p = fmt.Appendf(p, "/%d", f.index)
		}
	}
	return string(p)
}
