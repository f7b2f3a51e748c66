package jqguard

import (
	"fmt"
	"math/big"
	"regexp/syntax"

	"github.com/itchyny/gojq"
)

// Names that only the guard writes; a program cannot define them. All but the last pay for the
// values named.
const (
	payName   = "_tapnode_pay"   // its input, at a factor
	bothName  = "_tapnode_both"  // two operands
	argName   = "_tapnode_arg"   // the input and an argument
	regexName = "_tapnode_regex" // the input and a pattern
	indexName = "_tapnode_index" // refuses an index that would make a list too long
)

// maxIndex is the largest number that may be an index, because assigning to an index fills the list
// up to it.
const maxIndex = 100_000

var errIndex = fmt.Errorf("an index is a name, or a number up to %d", maxIndex)

// meter holds what is left of maxWork during one run.
type meter struct {
	left  int
	spent bool
}

func newMeter() *meter { return &meter{left: maxWork} }

// spend charges units before the work is done.
func (m *meter) spend(units int) bool {
	if m.spent || units < 0 || units > m.left {
		m.spent = true
		return false
	}
	m.left -= units
	return true
}

// pay charges a factor for every byte and member of values. It stops when nothing is left.
func (m *meter) pay(factor int, values ...any) bool {
	for _, v := range values {
		if !m.walk(factor, v) {
			return false
		}
	}
	return true
}

// Weights: holding an item costs more than a byte, and counting a character costs less.
const (
	perItem   = 16
	perSquare = 64
)

func (m *meter) walk(factor int, v any) bool {
	switch v := v.(type) {
	case string:
		return m.spend(factor * (1 + len(v)))
	case *big.Int:
		return m.spend(factor * (1 + v.BitLen()/8))
	case []any:
		if !m.spend(factor * (perItem + len(v))) {
			return false
		}
		for _, item := range v {
			if !m.walk(factor, item) {
				return false
			}
		}
		return true
	case map[string]any:
		if !m.spend(factor * perItem * (1 + len(v))) {
			return false
		}
		for k, member := range v {
			if !m.spend(factor*len(k)) || !m.walk(factor, member) {
				return false
			}
		}
		return true
	default:
		return m.spend(factor)
	}
}

// length is approximately the number of bytes or members of a value, without what the members
// contain.
func length(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []any:
		return len(v)
	case map[string]any:
		return len(v)
	case *big.Int:
		return v.BitLen() / 8
	}
	return 1
}

// product charges a unit for every pair of a byte or member of one value and one of the other.
func (m *meter) product(a, b any) bool {
	before := m.left
	if !m.pay(1, a) {
		return false
	}
	ofA := before - m.left
	if !m.pay(1, b) {
		return false
	}
	return m.spend(ofA * (before - ofA - m.left))
}

// times returns how often a number among the operands repeats a text.
func times(a, b any) int {
	for _, v := range []any{a, b} {
		if n, ok := gojq.ToFloat64(v); ok {
			return int(min(max(n, 1), maxWork))
		}
	}
	return 1
}

// functions returns the functions that the guard calls. Each returns its input.
func (m *meter) functions() []gojq.CompilerOption {
	fn := func(name string, arity int, pay func(v any, args []any) bool) gojq.CompilerOption {
		return gojq.WithFunction(name, arity, arity, func(v any, args []any) any {
			if !pay(v, args) {
				return ErrCost
			}
			return v
		})
	}
	return []gojq.CompilerOption{
		fn(payName, 1, func(v any, args []any) bool { return m.pay(args[0].(int), v) }),
		fn(argName, 1, func(v any, args []any) bool { return m.pay(4, v, args[0]) && m.product(v, args[0]) }),
		fn(bothName, 3, func(_ any, args []any) bool {
			l, r := args[1], args[2]
			if !m.pay(2, l, r) {
				return false
			}
			switch args[0] {
			case "*":
				return m.product(l, r) && m.spend(times(l, r)*max(length(l), length(r)))
			case "-", "/", "%":
				return m.product(l, r)
			}
			return true
		}),
		fn(regexName, 2, func(v any, args []any) bool {
			size, n := patternSize(args[0]), length(v)
			return m.pay(8, v) && n <= maxWork && size <= maxWork && m.spend(size*(1+n)) && (args[1] == once || m.spend(n*n/perSquare))
		}),
		gojq.WithFunction(indexName, 0, 0, func(v any, _ []any) any {
			switch v.(type) {
			case []any, map[string]any: // as an index, jq searches for a list and slices by an object
				return errIndex
			}
			if n, ok := gojq.ToFloat64(v); ok && n > maxIndex {
				return errIndex
			}
			return v
		}),
	}
}

// patternSize returns how many instructions a pattern compiles to; 1 for an invalid pattern, which
// gojq refuses.
func patternSize(v any) int {
	if pair, ok := v.([]any); ok && len(pair) > 0 { // pattern and flags
		v = pair[0]
	}
	src, ok := v.(string)
	if !ok {
		return 1
	}
	if len(src) > 1000 {
		return maxWork + 1
	}
	tree, err := syntax.Parse(src, syntax.Perl)
	if err != nil {
		return 1
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 1
	}
	return len(prog.Inst)
}
