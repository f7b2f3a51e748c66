package flow

import (
	"errors"
	"reflect"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

// input is a compiled value that may contain expressions. At most one of names, items and text is
// set; if none is, the value is literal.
type input struct {
	literal any
	names   []string // of members, sorted
	members map[string]*input
	items   []*input
	text    *template
	kind    reflect.Kind // of text's value
	escaped bool         // literal differs from what was written
}

// inputError reports an expression that does not compile, or that compiles with a doubt.
type inputError struct {
	pointer string
	err     error
}

// compileInput compiles every expression in v. ptr is the place of v.
func compileInput(v any, ptr string, env environment) (*input, []inputError) {
	in := &input{literal: v}
	var errs []inputError
	switch v := v.(type) {
	case string:
		if !isTemplate(v) {
			if parts, err := splitTemplate(v); err == nil { // "$${" is "${"
				in.literal, in.escaped = parts[0].text, parts[0].text != v
			}
			break
		}
		var bad []error
		in.text, in.kind, bad = compileTemplate(v, env)
		for _, err := range bad {
			errs = append(errs, inputError{ptr, err})
		}
	case map[string]any:
		names, members, constant := keys(v), make(map[string]*input, len(v)), true
		for _, k := range names {
			m, e := compileInput(v[k], jsonstrict.Pointer(ptr, k), env)
			members[k], errs = m, append(errs, e...)
			constant = constant && m.constant()
		}
		if !constant {
			in.names, in.members = names, members
		}
	case []any:
		items, constant := make([]*input, len(v)), true
		for i := range v {
			m, e := compileInput(v[i], jsonstrict.Pointer(ptr, i), env)
			items[i], errs = m, append(errs, e...)
			constant = constant && m.constant()
		}
		if !constant {
			in.items = items
		}
	}
	return in, errs
}

// constant reports whether the value is the same in every run, as it was written.
func (in *input) constant() bool {
	return in.text == nil && in.names == nil && in.items == nil && !in.escaped
}

// eval computes the value, members in the order of their names. An error begins
// with the place in the input.
func (in *input) eval(env bindings) (any, error) {
	switch {
	case in.text != nil:
		v, err := in.text.eval(env)
		if err != nil {
			return nil, &evalError{err: err}
		}
		return v, nil
	case in.names != nil:
		out := make(map[string]any, len(in.names))
		for _, k := range in.names {
			v, err := in.members[k].eval(env)
			if err != nil {
				return nil, within(k, err)
			}
			out[k] = v
		}
		return out, nil
	case in.items != nil:
		out := make([]any, len(in.items))
		for i, m := range in.items {
			v, err := m.eval(env)
			if err != nil {
				return nil, within(i, err)
			}
			out[i] = v
		}
		return out, nil
	default:
		return in.literal, nil
	}
}

// evalError reports an expression that failed, and its place in the input.
type evalError struct {
	pointer string
	err     error
}

func (e *evalError) Error() string { return e.pointer + ": " + e.err.Error() }
func (e *evalError) Unwrap() error { return e.err }

// within adds the enclosing member or item to the place of an error.
func within(token any, err error) error {
	var e *evalError
	if errors.As(err, &e) {
		e.pointer = jsonstrict.Pointer("", token) + e.pointer
	}
	return err
}

// outline returns the value as far as it is known before a run: an expression is replaced by a
// sample of its kind, or by its source if it is a text or its kind is unknown. open receives the
// pointers of expressions of unknown kind, typed those of all others.
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
	case in.names != nil:
		out := make(map[string]any, len(in.members))
		for k, m := range in.members {
			out[k] = m.outline(jsonstrict.Pointer(ptr, k), open, typed)
		}
		return out
	case in.items != nil:
		out := make([]any, len(in.items))
		for i, m := range in.items {
			out[i] = m.outline(jsonstrict.Pointer(ptr, i), open, typed)
		}
		return out
	default:
		return in.literal
	}
}

// mask returns the value with unknown in place of every expression.
func (in *input) mask() any {
	switch {
	case in.text != nil:
		return unknown{}
	case in.names != nil:
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
