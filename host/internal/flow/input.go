package flow

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/expr-lang/expr/types"
)

// input is a value with expressions in it, compiled.
type input struct {
	literal any
	members map[string]*input // of an object
	items   []*input          // of a list
	text    *template         // of a string with an expression
	kind    reflect.Kind      // of text's value
}

// inputError is an expression that does not compile.
type inputError struct {
	pointer string
	err     error
}

// compileInput compiles every expression in v. ptr is where v stands.
func compileInput(v any, ptr string, env types.Map) (*input, []inputError) {
	in := &input{literal: v}
	var errs []inputError
	switch v := v.(type) {
	case string:
		if !isTemplate(v) {
			if parts, err := splitTemplate(v); err == nil {
				in.literal = parts[0].text // "$${" is "${"
			}
			break
		}
		var bad []error
		in.text, in.kind, bad = compileTemplate(v, env)
		for _, err := range bad {
			errs = append(errs, inputError{ptr, err})
		}
	case map[string]any:
		in.members = make(map[string]*input, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			m, e := compileInput(v[k], pointer(ptr, k), env)
			in.members[k], errs = m, append(errs, e...)
		}
	case []any:
		in.items = make([]*input, len(v))
		for i := range v {
			m, e := compileInput(v[i], pointer(ptr, i), env)
			in.items[i], errs = m, append(errs, e...)
		}
	}
	return in, errs
}

// eval computes the value. Members are computed in the order of their names.
func (in *input) eval(env scope, ptr string) (any, error) {
	switch {
	case in.text != nil:
		v, err := in.text.eval(env)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ptr, err)
		}
		return v, nil
	case in.members != nil:
		out := make(map[string]any, len(in.members))
		for _, k := range slices.Sorted(maps.Keys(in.members)) {
			v, err := in.members[k].eval(env, pointer(ptr, k))
			if err != nil {
				return nil, err
			}
			out[k] = v
		}
		return out, nil
	case in.items != nil:
		out := make([]any, len(in.items))
		for i, m := range in.items {
			v, err := m.eval(env, pointer(ptr, i))
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	default:
		return in.literal, nil
	}
}

// outline is the value as far as it is known before a run: expressions are
// replaced by a sample of their kind, or by their source when the kind is open.
// open and typed receive the pointers of both.
func (in *input) outline(ptr string, open, typed map[string]bool) any {
	switch {
	case in.text != nil:
		v, known := sample(in.kind)
		if known {
			typed[ptr] = true
		} else {
			open[ptr] = true
		}
		if known && in.kind != reflect.String {
			return v
		}
		return in.literal // unique enough for uniqueItems and x-uniqueBy
	case in.members != nil:
		out := make(map[string]any, len(in.members))
		for k, m := range in.members {
			out[k] = m.outline(pointer(ptr, k), open, typed)
		}
		return out
	case in.items != nil:
		out := make([]any, len(in.items))
		for i, m := range in.items {
			out[i] = m.outline(pointer(ptr, i), open, typed)
		}
		return out
	default:
		return in.literal
	}
}

// mask is the value with unknown in place of every expression.
func (in *input) mask() any {
	switch {
	case in.text != nil:
		return unknown{}
	case in.members != nil:
		out := make(map[string]any, len(in.members))
		for k, m := range in.members {
			out[k] = m.mask()
		}
		return out
	case in.items != nil:
		out := make([]any, len(in.items))
		for i, m := range in.items {
			out[i] = m.mask()
		}
		return out
	default:
		return in.literal
	}
}
