package flow

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// Bounds of one expression.
const (
	maxExpressionNodes = 500
	maxElements        = 100_000 // in all lists and objects that it creates
	maxText            = 256 << 10
	maxMessage         = 500 // bytes of an error message
)

// template is a compiled string value.
type template struct {
	parts []compiledPart
}

type compiledPart struct {
	text    string
	program *vm.Program // nil: text is literal
}

// compileTemplate compiles every expression of s against the names that env declares. A template
// that is exactly one expression has the kind of its value; any other template is a string. An
// unknown type is reflect.Interface.
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
			var of reflect.Kind
			var doubtful error
			if c.program, of, doubtful, err = compileExpression(p.text, env); err != nil {
				errs = append(errs, err)
			} else if doubtful != nil {
				errs = append(errs, doubtful)
			} else if err := unencoded(parts[:i], p.text, of); err != nil {
				errs = append(errs, &doubt{err, "unencoded_text"})
			}
			if len(parts) == 1 && err == nil {
				kind = of
			}
		}
		t.parts = append(t.parts, c)
	}
	return t, kind, errs
}

// doubt reports an expression that compiles but may not do what its author meant. code is that of
// the finding.
type doubt struct {
	error
	code string
}

func (d *doubt) Unwrap() error { return d.error }

// doubts reports a name in an expression that no schema lists, or that one of the events that can
// lead to the node does not have.
func doubts(src string, env environment) error {
	if _, err := checkExpression(src, env.strict); err != nil {
		return &doubt{fmt.Errorf("${ %s }: %w", src, oneLine(err)), "unknown_name"}
	}
	if absence.MatchString(src) {
		return nil
	}
	for _, w := range env.ways {
		if _, err := checkExpression(src, w.Option); err != nil {
			with := "with " + w.event
			if w.event == noEvent {
				with = "without an event, started by hand"
			}
			return &doubt{fmt.Errorf("${ %s }: a run can come here %s: %w", src, with, oneLine(err)), "not_on_every_way"}
		}
	}
	return nil
}

// absence matches expressions that allow for a missing value.
var absence = regexp.MustCompile(`\?\.|\?\?|\bnil\b`)

// compileExpression checks an expression as it is written, and compiles it with metering. doubtful
// is the result of doubts.
func compileExpression(src string, env environment) (p *vm.Program, kind reflect.Kind, doubtful, err error) {
	kind, err = checkExpression(src, env.lenient)
	if err == nil {
		p, err = compileMetered(src)
	}
	if err != nil {
		return nil, 0, nil, fmt.Errorf("${ %s }: %w", src, oneLine(err))
	}
	return p, kind, doubts(src, env), nil
}

// config returns the configuration of all expressions.
func config() *conf.Config {
	c := conf.CreateNew()
	c.MaxNodes = maxExpressionNodes
	for name := range missing {
		delete(c.Builtins, name)
		c.Disabled[name] = true
	}
	return c
}

// checkExpression checks names and types, and gives the kind of the result.
func checkExpression(src string, env expr.Option) (reflect.Kind, error) {
	c := config()
	env(c)
	maps.Copy(c.Functions, ownFunctions())
	tree, err := parser.ParseWithConfig(src, c)
	if err != nil {
		return 0, err
	}
	g := &guard{}
	ast.Walk(&tree.Node, g)
	if g.err != nil {
		return 0, g.err
	}
	t, err := checker.Check(tree, c)
	if err != nil {
		return 0, err
	}
	return t.Kind(), nil
}

// compileMetered compiles an expression that was checked, this time without types: the values of a
// run may differ from what the schemas promise.
func compileMetered(src string) (*vm.Program, error) {
	c := config()
	c.Functions = hiddenFunctions()
	c.Env = types.Map{"vars": types.Any, "nodes": types.Any, "event": types.Any, "error": types.Any, "run": types.Any, meterName: types.Any}.Nature()
	tree, err := parser.ParseWithConfig(src, c)
	if err != nil {
		return nil, err
	}
	m := &metering{}
	ast.Walk(&tree.Node, m)
	if m.err != nil {
		return nil, m.err
	}
	if _, err := checker.Check(tree, c); err != nil {
		return nil, err
	}
	return compiler.Compile(tree, c)
}

// guard refuses constructs that the checker would accept, before the checker runs.
type guard struct{ err error }

// Visit implements ast.Visitor.
func (g *guard) Visit(n *ast.Node) {
	switch n := (*n).(type) {
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			g.err = errors.New("$env is not available; name vars, event, error, nodes or run")
		}
	case *ast.BinaryNode:
		if s, ok := n.Right.(*ast.StringNode); ok && n.Operator == "matches" {
			if _, err := newPattern(s.Value); err != nil {
				g.err = err
			}
		}
	case *ast.BuiltinNode:
		if n.Name == "date" && len(n.Arguments) > 2 {
			g.err = errors.New("date takes a text and perhaps a layout; times are in UTC")
		}
	}
}

// oneLine keeps the message of a compile error and drops the excerpt of the source.
func oneLine(err error) error {
	var fe *file.Error
	if errors.As(err, &fe) {
		return errors.New(short(strings.TrimSpace(fe.Message)))
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(short(first))
}

// short truncates a message, which might otherwise carry a whole value.
func short(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + " …"
}

// eval computes the template.
func (t *template) eval(env bindings) (any, error) {
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

func run(p compiledPart, env bindings) (any, error) {
	m := env[meterName].(*meter)
	machine := vm.VM{MemoryBudget: maxElements}
	out, err := machine.Run(p.program, map[string]any(env))
	if err != nil {
		return nil, fmt.Errorf("${ %s }: %w", p.text, oneLine(err))
	}
	units, err := m.measure(out)
	if err == nil {
		err = m.spend(units)
	}
	if err != nil {
		return nil, fmt.Errorf("${ %s }: the result: %w", p.text, err)
	}
	v, err := Plain(out)
	if err != nil {
		return nil, fmt.Errorf("${ %s }: %w", p.text, err)
	}
	return v, nil
}
