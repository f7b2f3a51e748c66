package flow

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// Bounds of one expression.
const (
	maxExpressionNodes = 500
	memoryBudget       = 100_000 // elements an evaluation may create
	maxTurns           = 100_000 // of all loops of one node together
	maxText            = 256 << 10
)

// scope is what expressions see: vars, event, error, nodes and run. The values
// are those of this package's JSON.
type scope map[string]any

// template is a compiled string value.
type template struct {
	parts []compiledPart
}

type compiledPart struct {
	text    string
	program *vm.Program // nil: text is literal
}

// compileTemplate compiles every expression of s against what env declares. A
// template that is exactly one expression has the kind of its value; every other
// one is a string. An unknown type is reflect.Interface.
func compileTemplate(s string, env environment) (*template, reflect.Kind, []error) {
	parts, err := splitTemplate(s)
	if err != nil {
		return nil, 0, []error{err}
	}
	t := &template{}
	var errs []error
	kind := reflect.String
	for i, p := range parts {
		c := compiledPart{text: p.text}
		if p.expr {
			if c.program, err = compileExpression(p.text, env.lenient); err != nil {
				errs = append(errs, err)
			} else if _, err := compileExpression(p.text, env.strict); err != nil {
				errs = append(errs, &doubt{err, "unknown_name"})
			} else if err := unencoded(parts[:i], p.text, c.program); err != nil {
				errs = append(errs, &doubt{err, "unencoded_text"})
			}
			if len(parts) == 1 && c.program != nil {
				kind = kindOf(c.program)
			}
		}
		t.parts = append(t.parts, c)
	}
	return t, kind, errs
}

// doubt is an expression that compiles and still may not do what is meant. code is
// the finding's.
type doubt struct {
	error
	code string
}

func (d *doubt) Unwrap() error { return d.error }

func compileExpression(src string, env expr.Option) (*vm.Program, error) {
	g := &guard{}
	p, err := expr.Compile(src,
		env,
		expr.MaxNodes(maxExpressionNodes),
		expr.DisableBuiltin("now"),      // the interpreter reads no clock
		expr.DisableBuiltin("timezone"), // reads files
		expr.DisableBuiltin("uniq"),     // quadratic
		urlEncode,
		expr.Patch(g),
	)
	if err != nil {
		return nil, fmt.Errorf("${ %s }: %w", src, oneLine(err))
	}
	if g.err != nil {
		return nil, fmt.Errorf("${ %s }: %w", src, g.err)
	}
	return p, nil
}

// guard refuses access to the environment as a whole, and makes every turn of a
// loop such as filter(…) count.
type guard struct{ err error }

// meterName is what a loop calls at each turn. It is part of every scope.
const meterName = "__turn"

// Visit implements ast.Visitor.
func (g *guard) Visit(n *ast.Node) {
	switch n := (*n).(type) {
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			g.err = errors.New("$env is not available; name vars, event, error, nodes or run")
		}
	case *ast.PredicateNode:
		if c, ok := n.Node.(*ast.ConditionalNode); ok && isMeter(c.Cond) {
			return // patched in an earlier pass
		}
		n.Node = &ast.ConditionalNode{
			Cond: &ast.CallNode{Callee: &ast.IdentifierNode{Value: meterName}},
			Exp1: n.Node,
			Exp2: &ast.NilNode{},
		}
	}
}

func isMeter(n ast.Node) bool {
	call, ok := n.(*ast.CallNode)
	if !ok {
		return false
	}
	id, ok := call.Callee.(*ast.IdentifierNode)
	return ok && id.Value == meterName
}

// meter returns the function behind meterName: true until maxTurns are used up.
func meter() func() bool {
	turns := 0
	return func() bool {
		if turns++; turns > maxTurns {
			panic(fmt.Sprintf("the loops of this node take more than %d turns", maxTurns))
		}
		return true
	}
}

// oneLine keeps the message of a compile error and drops its drawing.
func oneLine(err error) error {
	var fe *file.Error
	if errors.As(err, &fe) {
		return errors.New(strings.TrimSpace(fe.Message))
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(first)
}

func kindOf(p *vm.Program) reflect.Kind {
	t := p.Node().Type()
	if t == nil {
		return reflect.Interface
	}
	return t.Kind()
}

// eval computes the template.
func (t *template) eval(env scope) (any, error) {
	if len(t.parts) == 1 && t.parts[0].program != nil {
		return run(t.parts[0], env)
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.program == nil {
			b.WriteString(p.text)
			continue
		}
		v, err := run(p, env)
		if err != nil {
			return nil, err
		}
		switch v.(type) {
		case map[string]any, []any:
			return nil, fmt.Errorf("${ %s } is an object or a list, which has no place inside a text; use toJSON(…)", p.text)
		}
		b.WriteString(text(v))
		if b.Len() > maxText {
			return nil, fmt.Errorf("the text grows beyond %d bytes", maxText)
		}
	}
	return b.String(), nil
}

func run(p compiledPart, env scope) (any, error) {
	machine := vm.VM{MemoryBudget: memoryBudget}
	out, err := machine.Run(p.program, map[string]any(env))
	if err != nil {
		return nil, fmt.Errorf("${ %s }: %w", p.text, oneLine(err))
	}
	v, err := Plain(out)
	if err != nil {
		return nil, fmt.Errorf("${ %s }: %w", p.text, err)
	}
	return v, nil
}
