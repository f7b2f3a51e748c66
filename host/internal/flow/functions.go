package flow

import (
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/vm/runtime"
)

// A function can be called by expressions: it is one of expr-lang or our replacement, with a price
// that is paid before it runs. A function without a price cannot be called, so that a function
// which a later expr-lang adds is refused until its cost has been considered.
type function struct {
	// price says what a call with these arguments costs.
	price func(m *meter, args []any) (int, error)
	// call does the work; nil: expr-lang's function of this name.
	call func(args ...any) (any, error)
}

// functions by name. The loops, such as filter, are in loops instead.
var functions = map[string]function{
	"type": {price: constant}, "abs": {price: constant}, "ceil": {price: constant}, "floor": {price: constant}, "round": {price: constant},
	"bitand": {price: constant}, "bitor": {price: constant}, "bitxor": {price: constant}, "bitnand": {price: constant},
	"bitshl": {price: constant}, "bitshr": {price: constant}, "bitushr": {price: constant}, "bitnot": {price: constant},
	"first": {price: constant}, "last": {price: constant}, "take": {price: constant},

	"len": {price: shallow(1)}, "get": {price: shallow(1), call: get},
	"reverse": {price: shallow(perItem)}, "concat": {price: shallow(perItem)},

	"int": {price: deep(1)}, "float": {price: deep(1)}, "string": {price: deep(4)},
	"trim": {price: trimPrice}, "trimPrefix": {price: deep(1)}, "trimSuffix": {price: deep(1)},
	"upper": {price: deep(3)}, "lower": {price: deep(3)},
	"hasPrefix": {price: deep(1)}, "hasSuffix": {price: deep(1)}, "indexOf": {price: deep(1)}, "lastIndexOf": {price: deep(1)},
	"split": {price: splitPrice}, "splitAfter": {price: splitPrice},
	"replace": {price: replacePrice}, "repeat": {price: repeatPrice}, "join": {price: joinPrice},
	"max": {price: deep(1)}, "min": {price: deep(1)}, "mean": {price: deep(1)},
	"median": {price: deep(8)}, "flatten": {price: deep(8)}, // they copy at each level
	"sort":   {price: sortPrice},
	"toJSON": {price: deep(8)}, "fromJSON": {price: shallow(16)},
	"toBase64": {price: deep(2)}, "fromBase64": {price: deep(2)},
	"duration": {price: deep(1)}, "date": {price: deep(8), call: date},
	"keys": {price: keysPrice, call: sortedKeys}, "values": {price: keysPrice, call: sortedValues},
	"toPairs": {price: keysPrice, call: sortedPairs}, "fromPairs": {price: deep(4)},
}

// missing holds the functions of expr-lang that expressions do not have, and why.
var missing = map[string]string{
	"now":      "an expression reads no clock",
	"timezone": "it reads files",
	"uniq":     "its cost is quadratic",
}

// loops are the functions that evaluate a part of the expression once per member
// of their first argument.
var loops = []string{"all", "none", "any", "one", "filter", "map", "find", "findIndex", "findLast", "findLastIndex", "count", "sum",
	"groupBy", "sortBy", "reduce"}

// paid returns the function with its price charged first.
func (f function) paid(name string) func(m *meter, args []any) (any, error) {
	call := f.call
	if call == nil {
		call = callBuiltin(name)
	}
	return func(m *meter, args []any) (any, error) {
		units, err := f.price(m, args)
		if err == nil {
			err = m.spend(units)
		}
		if err != nil {
			return nil, err
		}
		return call(args...)
	}
}

// callBuiltin returns expr-lang's function of a name.
func callBuiltin(name string) func(args ...any) (any, error) {
	b := builtin.Builtins[builtin.Index[name]]
	switch {
	case b.Func != nil:
		return b.Func
	case b.Safe != nil:
		return func(args ...any) (any, error) {
			v, _, err := b.Safe(args...)
			return v, err
		}
	default:
		return func(args ...any) (any, error) { return b.Fast(args[0]), nil }
	}
}

func constant(*meter, []any) (int, error) { return 1, nil }

// shallow charges factor for every byte or member of the arguments, but not for what members
// contain.
func shallow(factor int) func(*meter, []any) (int, error) {
	return func(_ *meter, args []any) (int, error) {
		sum := 1
		for _, a := range args {
			sum = add(sum, mul(factor, length(a)))
		}
		return sum, nil
	}
}

// deep charges factor for everything that the arguments contain.
func deep(factor int) func(*meter, []any) (int, error) {
	return func(m *meter, args []any) (int, error) {
		n, err := m.measure(args...)
		return mul(factor, n), err
	}
}

// texts returns the first n arguments, which must be texts.
func texts(args []any, n int) ([]string, error) {
	if len(args) < n {
		return nil, errors.New("an argument is missing")
	}
	out := make([]string, n)
	for i := range out {
		s, ok := args[i].(string)
		if !ok {
			return nil, fmt.Errorf("argument %d must be a text, not %T", i+1, args[i])
		}
		out[i] = s
	}
	return out, nil
}

func trimPrice(m *meter, args []any) (int, error) {
	if len(args) < 2 {
		return deep(1)(m, args)
	}
	s, err := texts(args, 2)
	if err != nil {
		return 0, err
	}
	return mul(1+len(s[0]), 1+len(s[1])), nil
}

func splitPrice(m *meter, args []any) (int, error) {
	s, err := texts(args, 2)
	if err != nil {
		return 0, err
	}
	if err := m.spend(len(s[0])); err != nil { // for the count
		return 0, err
	}
	return mul(perItem, 1+strings.Count(s[0], s[1])), nil
}

func replacePrice(m *meter, args []any) (int, error) {
	s, err := texts(args, 3)
	if err != nil {
		return 0, err
	}
	if err := m.spend(len(s[0])); err != nil { // for the count
		return 0, err
	}
	return add(1+len(s[0]), mul(strings.Count(s[0], s[1]), len(s[2]))), nil
}

func repeatPrice(_ *meter, args []any) (int, error) {
	s, err := texts(args, 1)
	if err != nil {
		return 0, err
	}
	if len(args) != 2 {
		return 0, errors.New("it takes a text and a number")
	}
	n := runtime.ToInt(args[1])
	if n < 0 {
		return 0, fmt.Errorf("%d times is not possible", n)
	}
	return add(1, mul(n, len(s[0]))), nil
}

func joinPrice(m *meter, args []any) (int, error) {
	n, err := m.measure(args...)
	if err != nil || len(args) < 2 {
		return mul(2, n), err
	}
	return add(mul(2, n), mul(length(args[0]), length(args[1]))), nil
}

// compared is the cost of sorting n items of the given total size.
func compared(n, size int) int { return mul(size, 2*bits.Len(uint(n))) }

func sortPrice(_ *meter, args []any) (int, error) {
	if len(args) == 0 {
		return 0, errors.New("an argument is missing")
	}
	n := length(args[0])
	size := n
	switch list := args[0].(type) {
	case []any:
		for _, v := range list {
			s, _ := v.(string)
			size = add(size, len(s))
		}
	case []string:
		for _, s := range list {
			size = add(size, len(s))
		}
	}
	return add(mul(perItem, n), compared(n, size)), nil
}

// keysPrice is the price of a sorted list of the names of an object.
func keysPrice(_ *meter, args []any) (int, error) {
	n := 0
	size := 0
	for _, a := range args {
		n = add(n, length(a))
		if o, ok := a.(map[string]any); ok {
			for k := range o {
				size = add(size, 1+len(k))
			}
		}
	}
	return add(mul(perMember, 1+n), compared(n, size)), nil
}

// object returns the argument of keys and similar functions. A map[any][]any is the result of
// groupBy.
func object(args []any) (map[string]any, error) {
	if len(args) != 1 {
		return nil, errors.New("it takes one object")
	}
	switch o := args[0].(type) {
	case map[string]any:
		return o, nil
	case map[any][]any:
		out := make(map[string]any, len(o))
		for k, v := range o {
			out[text(k)] = v
		}
		return out, nil
	default:
		return nil, fmt.Errorf("it takes an object, not %T", args[0])
	}
}

// The members of an object are ordered by name, so that equal runs give equal results.

func sortedKeys(args ...any) (any, error) {
	o, err := object(args)
	out := make([]any, 0, len(o))
	for _, k := range slices.Sorted(maps.Keys(o)) {
		out = append(out, k)
	}
	return out, err
}

func sortedValues(args ...any) (any, error) {
	o, err := object(args)
	out := make([]any, 0, len(o))
	for _, k := range slices.Sorted(maps.Keys(o)) {
		out = append(out, o[k])
	}
	return out, err
}

func sortedPairs(args ...any) (any, error) {
	o, err := object(args)
	out := make([]any, 0, len(o))
	for _, k := range slices.Sorted(maps.Keys(o)) {
		out = append(out, []any{k, o[k]})
	}
	return out, err
}

// get returns a member of an object or a list; nil if there is none.
func get(args ...any) (any, error) {
	if len(args) != 2 {
		return nil, errors.New("it takes a value and the name or number of a member")
	}
	switch from := args[0].(type) {
	case map[string]any:
		name, _ := args[1].(string)
		return from[name], nil
	case map[any][]any:
		if l, ok := from[args[1]]; ok {
			return l, nil
		}
		return nil, nil
	}
	list := reflect.ValueOf(args[0])
	if k := list.Kind(); k != reflect.Slice && k != reflect.Array {
		return nil, nil
	}
	i := runtime.ToInt(args[1])
	if i < 0 {
		i += list.Len()
	}
	if i < 0 || i >= list.Len() {
		return nil, nil
	}
	return list.Index(i).Interface(), nil
}

// date parses a time in UTC, whatever the zone of the machine.
func date(args ...any) (any, error) {
	layouts := []string{"2006-01-02", "15:04:05", "2006-01-02 15:04:05", time.RFC3339, time.RFC822, time.RFC850, time.RFC1123}
	s, err := texts(args, len(args))
	switch {
	case err != nil:
		return nil, err
	case len(s) == 2:
		layouts = s[1:]
	case len(s) != 1:
		return nil, errors.New("it takes a text and perhaps a layout")
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, s[0], time.UTC); err == nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%.40q is not a date", s[0])
}
