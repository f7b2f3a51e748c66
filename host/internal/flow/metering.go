package flow

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"regexp/syntax"
	"sync"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/vm/runtime"
)

// hidden is the prefix of the names that only metering writes: no expression can spell them.
const hidden = "@"

// meterName is the name of the meter among the values of an expression.
const meterName = hidden + "meter"

// metering rewrites an expression so that every part whose cost depends on a value is charged
// before it runs: loops, functions, and operators on texts and lists. The cost of everything else
// is bounded by the length of the expression.
type metering struct{ err error }

// Visit implements ast.Visitor. The children of a node are visited before it.
func (r *metering) Visit(n *ast.Node) {
	switch x := (*n).(type) {
	case *ast.BinaryNode:
		r.operator(n, x)
	case *ast.MemberNode:
		x.Property = touched(x.Property)
	case *ast.SliceNode: // an error of expr-lang may contain the bounds
		x.From, x.To = touched(x.From), touched(x.To)
	case *ast.PairNode:
		x.Key = touched(x.Key)
	case *ast.CallNode: // one of our functions, or a method of a date or a duration
		if id, ok := x.Callee.(*ast.IdentifierNode); ok && own[id.Value].call != nil {
			ast.Patch(n, pay(id.Value, x.Arguments...))
			return
		}
		for i, a := range x.Arguments {
			x.Arguments[i] = pay("touch", a)
		}
	case *ast.BuiltinNode:
		r.function(n, x)
	}
}

func (r *metering) operator(n *ast.Node, x *ast.BinaryNode) {
	switch x.Operator {
	case "matches":
		if s, ok := x.Right.(*ast.StringNode); ok {
			p, err := newPattern(s.Value)
			if err != nil {
				r.err = err
				return
			}
			x.Right = &ast.ConstantNode{Value: p}
		}
		ast.Patch(n, pay("matches", x.Left, x.Right))
	case "..":
		ast.Patch(n, pay("range", x.Left, x.Right))
	case "in": // it also walks a list that it looks for a number in
		x.Left, x.Right = touched(x.Left), touched(x.Right)
	case "+", "<", ">", "<=", ">=", "==", "!=", "contains", "startsWith", "endsWith":
		if !scalar(x.Left) && !scalar(x.Right) {
			x.Left, x.Right = pay("touch", x.Left), pay("touch", x.Right)
		}
	}
}

// touched charges for a part that is not a literal.
func touched(n ast.Node) ast.Node {
	if _, text := n.(*ast.StringNode); n == nil || text || scalar(n) {
		return n
	}
	return pay("touch", n)
}

// scalar reports whether a node is a literal next to which every operator is cheap, because it
// combines with no text or list.
func scalar(n ast.Node) bool {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NilNode:
		return true
	}
	return false
}

func (r *metering) function(n *ast.Node, x *ast.BuiltinNode) {
	for _, name := range loops {
		if name != x.Name {
			continue
		}
		cost := 1
		if len(x.Arguments) > 1 {
			cost += size(&x.Arguments[1])
			body := x.Arguments[1].(*ast.PredicateNode)
			switch name {
			case "sortBy":
				body.Node = pay("sortKey", body.Node)
			case "groupBy":
				body.Node = pay("touch", body.Node)
			}
		}
		x.Arguments[0] = pay("loop", x.Arguments[0], &ast.ConstantNode{Value: cost})
		return
	}
	if _, ok := functions[x.Name]; !ok {
		r.err = fmt.Errorf("there is no function %s", x.Name)
		return
	}
	ast.Patch(n, pay(x.Name, x.Arguments...))
}

// size counts the nodes of a part of an expression.
func size(n *ast.Node) int {
	c := counter(0)
	ast.Walk(n, &c)
	return int(c)
}

type counter int

// Visit implements ast.Visitor.
func (c *counter) Visit(*ast.Node) { *c++ }

// pay returns a call of a hidden function with the meter and arguments.
func pay(name string, args ...ast.Node) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: hidden + name},
		Arguments: append([]ast.Node{&ast.IdentifierNode{Value: meterName}}, args...)}
}

// hiddenFunctions returns the functions that metered expressions call.
var hiddenFunctions = sync.OnceValue(func() map[string]*builtin.Function {
	out := map[string]*builtin.Function{}
	add := func(name string, call func(m *meter, args []any) (any, error)) {
		out[hidden+name] = &builtin.Function{Name: hidden + name, Types: []reflect.Type{reflect.TypeFor[func(...any) any]()},
			Func: func(args ...any) (any, error) { return call(args[0].(*meter), args[1:]) }}
	}
	for _, all := range []map[string]function{functions, own} {
		for name, f := range all {
			paid := f.paid(name)
			add(name, func(m *meter, args []any) (any, error) {
				v, err := paid(m, args)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				return v, nil
			})
		}
	}
	for _, name := range []string{"date", "parseTime"} { // their results have methods
		out[hidden+name].Types = []reflect.Type{reflect.TypeFor[func(...any) time.Time]()}
	}
	same := func(args ...any) (any, error) { return args[0], nil }
	// touch charges for the whole of its argument and returns it.
	add("touch", function{deep(1), same}.paid("touch"))
	// loop charges a cost for each member of the list that a loop walks, and returns the list.
	add("loop", function{func(_ *meter, args []any) (int, error) { return mul(args[1].(int), length(args[0])), nil }, same}.paid("loop"))
	// sortKey charges for comparing one key of sortBy with the largest possible number of others.
	add("sortKey", function{deep(compared(maxWork, 1)), same}.paid("sortKey"))
	add("range", function{rangePrice, makeRange}.paid("range"))
	add("matches", matches)
	return out
})

func rangePrice(_ *meter, args []any) (int, error) {
	from, to := runtime.ToInt(args[0]), runtime.ToInt(args[1])
	if to < from {
		return 1, nil
	}
	n := to - from + 1
	if n <= 0 { // it overflowed
		return 0, errWork
	}
	return mul(perItem, n), nil
}

func makeRange(args ...any) (any, error) {
	return runtime.MakeRange(runtime.ToInt(args[0]), runtime.ToInt(args[1])), nil
}

// maxPattern is the maximum size of a pattern: about the number of its characters with all
// repetitions expanded.
const maxPattern = 10_000

// pattern is a regular expression and its size.
type pattern struct {
	re   *regexp.Regexp
	size int
}

// newPattern compiles a pattern, unless it would become too large.
func newPattern(src string) (*pattern, error) {
	if len(src) > maxExpression {
		return nil, fmt.Errorf("a pattern has %d bytes; at most %d are allowed", len(src), maxExpression)
	}
	tree, err := syntax.Parse(src, syntax.Perl)
	if err != nil {
		return nil, err
	}
	p := &pattern{size: patternSize(tree)}
	if p.size > maxPattern {
		return nil, errors.New("the pattern repeats too much to be matched")
	}
	p.re, err = regexp.Compile(src)
	return p, err
}

func patternSize(re *syntax.Regexp) int {
	n := 1
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for _, sub := range re.Sub {
		n = add(n, patternSize(sub))
	}
	if re.Op == syntax.OpRepeat {
		n = mul(n, max(re.Min, re.Max, 1))
	}
	return n
}

// matches costs the size of the pattern times the length of the text, because Go's regular
// expressions take linear time. A pattern that is known only during the run also costs its
// compilation.
func matches(m *meter, args []any) (any, error) {
	if args[0] == nil || args[1] == nil {
		return false, nil
	}
	p, ok := args[1].(*pattern)
	if src, text := args[1].(string); text {
		var err error
		if p, err = newPattern(src); err != nil {
			return nil, err
		}
		if err := m.spend(mul(100, p.size)); err != nil {
			return nil, err
		}
		ok = true
	}
	s, text := args[0].(string)
	if !ok || !text {
		return nil, fmt.Errorf("matches takes two texts, not %T and %T", args[0], args[1])
	}
	if err := m.spend(mul(p.size, 1+len(s))); err != nil {
		return nil, err
	}
	return p.re.MatchString(s), nil
}
