package jqguard

import (
	"fmt"
	"maps"
	"strconv"

	"github.com/itchyny/gojq"
)

// guard rewrites a program so that it pays for its work.
type guard struct{ err error }

func (g *guard) refuse(format string, args ...any) {
	if g.err == nil {
		g.err = fmt.Errorf(format, args...)
	}
}

// scope holds the functions that the program defines, by name and number of arguments. Their bodies
// are rewritten where they are defined.
type scope map[string]bool

func (s scope) with(names ...string) scope {
	out := maps.Clone(s)
	if out == nil {
		out = scope{}
	}
	for _, name := range names {
		out[name] = true
	}
	return out
}

func arity(name string, n int) string { return name + "/" + strconv.Itoa(n) }

// Constructors for the code that the guard writes.

func call(name string, args ...*gojq.Query) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name, Args: args}}}
}

func pipe(l, r *gojq.Query) *gojq.Query { return &gojq.Query{Left: l, Op: gojq.OpPipe, Right: r} }

func bind(value *gojq.Query, name string, body *gojq.Query) *gojq.Query {
	return &gojq.Query{Left: value, Patterns: []*gojq.Pattern{{Name: name}}, Op: gojq.OpPipe, Right: body}
}

func number(n int) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeNumber, Number: strconv.Itoa(n)}}
}

func quoted(s string) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeString, Str: &gojq.String{Str: s}}}
}

func dot() *gojq.Query { return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity}} }

const (
	left, right, argument = "$_tapnode_l", "$_tapnode_r", "$_tapnode_a"
)

// updates maps the operators that compute while they assign to the computation.
var updates = map[gojq.Operator]gojq.Operator{
	gojq.OpUpdateAdd: gojq.OpAdd, gojq.OpUpdateSub: gojq.OpSub, gojq.OpUpdateMul: gojq.OpMul, gojq.OpUpdateDiv: gojq.OpDiv,
	gojq.OpUpdateMod: gojq.OpMod, gojq.OpUpdateAlt: gojq.OpAlt,
}

func (g *guard) query(q *gojq.Query, s scope) {
	if q == nil || g.err != nil {
		return
	}
	if q.Meta != nil || len(q.Imports) > 0 {
		g.refuse("it may not use modules")
		return
	}
	for _, fd := range q.FuncDefs {
		s = s.with(arity(fd.Name, len(fd.Args)))
		inner := s
		for _, arg := range fd.Args {
			if arg[0] == '$' {
				inner = inner.with(arity(arg[1:], 0))
			} else {
				inner = inner.with(arity(arg, 0))
			}
		}
		g.query(fd.Body, inner)
	}
	if q.Term != nil {
		g.term(q.Term, s)
		return
	}
	g.patterns(q.Patterns, s)
	if op, ok := updates[q.Op]; ok { // p += v is v as $r | p |= . + $r
		value := q.Right
		*q = gojq.Query{FuncDefs: q.FuncDefs, Left: value, Patterns: []*gojq.Pattern{{Name: right}}, Op: gojq.OpPipe,
			Right: &gojq.Query{Left: q.Left, Op: gojq.OpModify, Right: &gojq.Query{Left: dot(), Op: op, Right: call(right)}}}
	}
	g.query(q.Left, s)
	g.query(q.Right, s)
	switch q.Op {
	case gojq.OpAdd, gojq.OpSub, gojq.OpMul, gojq.OpDiv, gojq.OpMod, gojq.OpEq, gojq.OpNe, gojq.OpGt, gojq.OpLt, gojq.OpGe, gojq.OpLe:
		both := pipe(call(bothName, quoted(q.Op.String()), call(left), call(right)), &gojq.Query{Left: call(left), Op: q.Op, Right: call(right)})
		outer := bind(q.Right, right, bind(q.Left, left, both)) // jq evaluates the right side first
		outer.FuncDefs = q.FuncDefs
		*q = *outer
	}
}

func (g *guard) patterns(list []*gojq.Pattern, s scope) {
	for _, p := range list {
		g.patterns(p.Array, s)
		for _, o := range p.Object {
			g.text(o.KeyString, s)
			g.query(o.KeyQuery, s)
			if o.KeyQuery != nil {
				o.KeyQuery = pipe(o.KeyQuery, call(indexName))
			}
			if o.Val != nil {
				g.patterns([]*gojq.Pattern{o.Val}, s)
			}
		}
	}
}

func (g *guard) term(t *gojq.Term, s scope) {
	if t == nil || g.err != nil {
		return
	}
	for _, suffix := range t.SuffixList {
		g.index(suffix.Index, s)
	}
	switch t.Type {
	case gojq.TermTypeFunc:
		g.function(t, s)
	case gojq.TermTypeIndex:
		g.index(t.Index, s)
	case gojq.TermTypeObject:
		for _, kv := range t.Object.KeyVals {
			g.text(kv.KeyString, s)
			g.query(kv.KeyQuery, s)
			g.query(kv.Val, s)
			if kv.Key == "$ENV" {
				g.refuse("it may not see the environment")
			}
		}
	case gojq.TermTypeArray:
		g.query(t.Array.Query, s)
	case gojq.TermTypeUnary:
		g.term(t.Unary.Term, s)
	case gojq.TermTypeFormat:
		if t.Str != nil {
			g.text(t.Str, s)
			return
		}
		g.wrap(t, call(payName, number(formatPrice)))
	case gojq.TermTypeString:
		g.text(t.Str, s)
	case gojq.TermTypeQuery:
		g.query(t.Query, s)
	default:
		g.control(t, s)
	}
}

// control rewrites the terms that decide which parts run.
func (g *guard) control(t *gojq.Term, s scope) {
	switch t.Type {
	case gojq.TermTypeIf:
		g.query(t.If.Cond, s)
		g.query(t.If.Then, s)
		g.query(t.If.Else, s)
		for _, elif := range t.If.Elif {
			g.query(elif.Cond, s)
			g.query(elif.Then, s)
		}
	case gojq.TermTypeTry:
		g.query(t.Try.Body, s)
		g.query(t.Try.Catch, s)
	case gojq.TermTypeReduce:
		g.query(t.Reduce.Query, s)
		g.patterns(t.Reduce.Patterns, s)
		g.query(t.Reduce.Start, s)
		g.query(t.Reduce.Update, s)
	case gojq.TermTypeForeach:
		g.query(t.Foreach.Query, s)
		g.patterns(t.Foreach.Patterns, s)
		g.query(t.Foreach.Start, s)
		g.query(t.Foreach.Update, s)
		g.query(t.Foreach.Extract, s)
	case gojq.TermTypeLabel:
		g.query(t.Label.Body, s)
	}
}

// text makes each value that is inserted into a quoted text pay for its conversion.
func (g *guard) text(str *gojq.String, s scope) {
	if str == nil {
		return
	}
	for i, q := range str.Queries {
		if q.Term != nil && q.Term.Str != nil { // a literal text
			g.term(q.Term, s)
			continue
		}
		g.query(q, s)
		str.Queries[i] = &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeQuery, Query: pipe(q, call(payName, number(formatPrice)))}}
	}
}

func (g *guard) index(x *gojq.Index, s scope) {
	if x == nil {
		return
	}
	g.text(x.Str, s)
	for _, bound := range []**gojq.Query{&x.Start, &x.End} {
		if *bound != nil {
			g.query(*bound, s)
			*bound = pipe(*bound, call(indexName))
		}
	}
}

// wrap inserts a query before a term.
func (g *guard) wrap(t *gojq.Term, before *gojq.Query) {
	bare := *t
	bare.SuffixList = nil
	*t = gojq.Term{Type: gojq.TermTypeQuery, Query: pipe(before, &gojq.Query{Term: &bare}), SuffixList: t.SuffixList}
}

func (g *guard) function(t *gojq.Term, s scope) {
	f := t.Func
	if f.Name[0] == '$' {
		if f.Name == "$ENV" {
			g.refuse("it may not see the environment")
		}
		return
	}
	for _, arg := range f.Args {
		g.query(arg, s)
	}
	name := arity(f.Name, len(f.Args))
	price, counted := paid[name]
	switch {
	case s[name], free[name]:
	case counted:
		if by[name] {
			f.Args[0] = pipe(f.Args[0], call(payName, number(byPrice)))
		}
		g.wrap(t, call(payName, number(price)))
	case withArg[name]:
		g.bound(t, call(argName, call(argument)))
	case patterns[name] > 0:
		g.bound(t, call(regexName, call(argument), number(patterns[name])))
	default:
		g.refuse("there is no function %s here", name)
	}
}

// bound evaluates the first argument of a function before the call, so that it can be paid for.
func (g *guard) bound(t *gojq.Term, before *gojq.Query) {
	value := t.Func.Args[0]
	t.Func.Args[0] = call(argument)
	g.wrap(t, before)
	t.Query = bind(value, argument, t.Query)
}
