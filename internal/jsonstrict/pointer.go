package jsonstrict

import (
	"fmt"
	"strconv"
	"strings"
)

var (
	escaper   = strings.NewReplacer("~", "~0", "/", "~1")
	unescaper = strings.NewReplacer("~1", "/", "~0", "~")
)

// Escape writes a member's name as a token of a JSON Pointer (RFC 6901, section 3).
func Escape(name string) string {
	if !strings.ContainsAny(name, "~/") {
		return name
	}
	return escaper.Replace(name)
}

// Pointer appends tokens, each the name of a member or the index of an element,
// to a JSON Pointer.
func Pointer(base string, tokens ...any) string {
	var b strings.Builder
	b.WriteString(base)
	for _, t := range tokens {
		b.WriteByte('/')
		b.WriteString(Escape(fmt.Sprint(t)))
	}
	return b.String()
}

// Tokens splits a JSON Pointer into unescaped names; ok is false when it is not a JSON Pointer.
func Tokens(pointer string) (names []string, ok bool) {
	if pointer == "" {
		return nil, true
	}
	if pointer[0] != '/' {
		return nil, false
	}
	names = strings.Split(pointer[1:], "/")
	for i, n := range names {
		names[i] = unescaper.Replace(n)
	}
	return names, true
}

// Resolve follows a JSON Pointer into a value of the types map[string]any and
// []any; ok is false when there is nothing.
func Resolve(value any, pointer string) (found any, ok bool) {
	names, ok := Tokens(pointer)
	if !ok {
		return nil, false
	}
	for _, name := range names {
		switch v := value.(type) {
		case map[string]any:
			value, ok = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if ok = err == nil && i >= 0 && i < len(v); ok {
				value = v[i]
			}
		default:
			ok = false
		}
		if !ok {
			return nil, false
		}
	}
	return value, true
}
