package flow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
)

// DecodeJSON reads one JSON document into the values that flows work with: map[string]any, []any,
// string, bool, nil, int for whole numbers that are exact, and float64 for all others. Nothing may
// nest more than MaxDepth deep. It is meant for the output of programs: of two members with the
// same name it keeps the last, as encoding/json does. Flow files, which people write, are read by
// Load.
func DecodeJSON(src []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return exact(v, 0)
}

// exact replaces json.Number by int or float64 throughout, in place.
func exact(v any, depth int) (any, error) {
	var err error
	if depth > MaxDepth {
		return nil, errDeep
	}
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case map[string]any:
		for k := range v {
			if v[k], err = exact(v[k], depth+1); err != nil {
				return nil, err
			}
		}
	case []any:
		for i := range v {
			if v[i], err = exact(v[i], depth+1); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// Normalize converts a value that encoding/json decoded to the types that DecodeJSON returns,
// recursively and in place.
func Normalize(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = Normalize(v[k])
		}
	case []any:
		for i := range v {
			v[i] = Normalize(v[i])
		}
	default:
		return normal(v)
	}
	return v
}

func number(n json.Number) (any, error) {
	if i, err := n.Int64(); err == nil {
		return normal(i), nil
	}
	f, err := n.Float64()
	if err != nil {
		return nil, fmt.Errorf("the number %.40s is too large", n.String())
	}
	return normal(f), nil
}

// normal gives each number one Go type, the same before and after a round trip
// through JSON: int if it is whole and exact, else float64.
func normal(v any) any {
	switch v := v.(type) {
	case int64:
		return int(v)
	case uint64:
		return normal(float64(v))
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int(v)
		}
	}
	return v
}

// member returns a member of an object; nil if there is none or v is not an object.
func member(v any, key string) any {
	m, _ := v.(map[string]any)
	return m[key]
}

// asList is v if it is a list, else nil.
func asList(v any) []any {
	l, _ := v.([]any)
	return l
}

// Plain converts a Go value, such as the result of an expression or of a built-in node, to the
// value that would come back from JSON, as an Event carries it. Objects and lists are copied.
func Plain(v any) (any, error) { return plain(v, 0) }

func plain(v any, depth int) (any, error) {
	var err error
	if depth > MaxDepth {
		return nil, errDeep
	}
	switch v := v.(type) {
	case nil, bool, int:
		return v, nil
	case string:
		return strings.ToValidUTF8(v, "\ufffd"), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("the result is not a number JSON knows")
		}
		return normal(v), nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, m := range v {
			if out[strings.ToValidUTF8(k, "\ufffd")], err = plain(m, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, m := range v {
			if out[i], err = plain(m, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Func:
		return nil, errors.New("the result is a function, not a value")
	case reflect.Map: // from groupBy or fromPairs: its keys may be of any kind
		out := make(map[string]any, r.Len())
		for it := r.MapRange(); it.Next(); {
			name := strings.ToValidUTF8(text(it.Key().Interface()), "\ufffd")
			if _, twice := out[name]; twice {
				return nil, fmt.Errorf("two members of the result have the name %.40q", name)
			}
			if out[name], err = plain(it.Value().Interface(), depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("the result is not a JSON value: %w", err)
	}
	return DecodeJSON(raw)
}

// Size estimates the length of a value as JSON without encoding it.
func Size(v any) int {
	switch v := v.(type) {
	case string:
		return len(v) + 2
	case map[string]any:
		n := 2
		for k, m := range v {
			n += len(k) + 4 + Size(m)
		}
		return n
	case []any:
		n := 2
		for _, m := range v {
			n += 1 + Size(m)
		}
		return n
	default:
		return 8
	}
}

// withoutEmpty returns v without the members that are null or "".
func withoutEmpty(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, m := range v {
			if m != nil && m != "" {
				out[k] = withoutEmpty(m)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, m := range v {
			out[i] = withoutEmpty(m)
		}
		return out
	default:
		return v
	}
}
