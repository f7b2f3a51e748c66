package flow

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/expr-lang/expr/builtin"
)

// mostBytes is what one evaluation may allocate: maxWork units, a few bytes each.
const mostBytes = 16 * maxWork

// evaluate compiles a template and measures the bytes that its evaluation allocates.
func evaluate(t *testing.T, src string, vars map[string]any) (v any, bytes uint64, err error) {
	t.Helper()
	tmpl, err := compileUntyped(src, vars)
	if err != nil {
		return nil, 0, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	v, err = tmpl.eval(bindingsOf(vars))
	runtime.ReadMemStats(&after)
	return v, after.TotalAlloc - before.TotalAlloc, err
}

// Each of expr-lang's functions has a price, is a loop, or is missing on purpose.
func TestEveryFunctionHasAPrice(t *testing.T) {
	known := map[string]int{}
	for _, names := range [][]string{slices.Collect(maps.Keys(functions)), slices.Collect(maps.Keys(missing)), loops} {
		for _, name := range names {
			known[name]++
		}
	}
	for _, b := range builtin.Builtins {
		if known[b.Name] != 1 {
			t.Errorf("%s is decided about %d times", b.Name, known[b.Name])
		}
		if b.Predicate != slices.Contains(loops, b.Name) {
			t.Errorf("%s: a loop is %v", b.Name, b.Predicate)
		}
		delete(known, b.Name)
	}
	for name := range known {
		t.Errorf("expr-lang has no function %s", name)
	}
}

// Expressions that would take all memory, or hours, are refused before they do.
func TestExpressionsThatCostTooMuch(t *testing.T) {
	big := strings.Repeat("a", 90_000)
	list := make([]any, 9_000)
	for i := range list {
		list[i] = fmt.Sprint(i, strings.Repeat("x", 90))
	}
	vars := map[string]any{"big": big, "list": list, "one": 1, "pattern": strings.Repeat("(a*)*b|", 500) + "c"}
	for _, src := range []string{
		"repeat(vars.big, 1000000)",
		"repeat(vars.big, 9223372036854775807)",
		"replace(vars.big, 'a', vars.big)",
		"replace(vars.big, '', vars.big)",
		"join(vars.list, vars.big)",
		"join(map(1..9999, vars.big), '')",
		"concat(map(1..999, concat(vars.list, vars.list)))",
		"flatten(map(1..9999, vars.list))",
		"map(1..9999, split(vars.big, ''))",
		"map(1..999, toJSON(vars.list))",
		"map(1..99999, vars.big + vars.big)",
		"reduce(1..99999, #acc + vars.big, '')",
		"reduce(1..9999, concat(#acc, #acc), [1])",
		doubling("X + X", "vars.big"),
		doubling("[X, X]", "1"),
		doubling("[X, X]", "1") + " | string()",
		doubling("{'a': X, 'b': X}", "1"),
		"reduce(1..9999, [#acc], 0)",
		"toJSON(reduce(1..9999, [#acc], 0))",
		"reduce(1..9999, ({'a': #acc}), 0) == reduce(1..9999, ({'a': #acc}), 0)",
		"fromJSON(repeat('[', 9000) + repeat(']', 9000))",
		"1..9223372036854775807",
		"-9223372036854775807..9223372036854775807",
		"[" + strings.Repeat("1..1000000,", 150) + "1]",
		"all(1..9999, all(1..9999, all(1..9999, true)))",
		"filter(1..99999, vars.big contains 'b')",
		"filter(1..99999, # in vars.list)",
		"filter(1..99999, 1 in vars.list)",
		"filter(1..99999, vars.list == vars.list)",
		"filter(1..99999, ({'x': 1})[vars.big] == nil)",
		"filter(1..99999, get({'x': 1}, vars.big) == nil)",
		"map(1..99999, ({(vars.big): 1}))",
		"groupBy(1..99999, vars.big)",
		"sortBy(1..99999, vars.big)",
		"sort(map(1..9999, vars.big))",
		"map(1..99999, date('2026-01-01').Format(vars.big))",
		"map(1..99999, trim(vars.big, 'b'))",
		"trim(vars.big, vars.big)",
		"vars.big matches vars.pattern",
		"vars.big matches '" + strings.Repeat("(x*a*)*", 500) + "b'",
		"filter(1..99999, vars.big matches 'b')",
		"'x' matches '(" + strings.Repeat("[a-z0-9]", 400) + "){900}'",
		doubling("[X, X]", "1") + "; vars.one[get([x40], 0):1]",
		doubling("[X, X]", "1") + "; vars.list[get([x40], 0)]",
		"'x' matches ('(" + strings.Repeat("a", 2000) + "){900}' + '')",
	} {
		v, bytes, err := evaluate(t, "${ "+src+" }", vars)
		if err == nil || !costs.MatchString(err.Error()) {
			t.Errorf("%.90s gives %.60v, %v", src, v, err)
		}
		if bytes > mostBytes {
			t.Errorf("%.90s allocates %d MiB before it is refused: %v", src, bytes>>20, err)
		}
		if err != nil && len(err.Error()) > 2*maxMessage+len(src) {
			t.Errorf("%.90s: the error has %d bytes", src, len(err.Error()))
		}
	}
}

var costs = regexp.MustCompile(`cost more than|nests more than|repeats too much|memory budget`)

// doubling puts a value in both places X of a form, 40 times over.
func doubling(form, start string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "let x0 = %s; ", start)
	for i := range 40 {
		fmt.Fprintf(&b, "let x%d = %s; ", i+1, strings.ReplaceAll(form, "X", fmt.Sprint("x", i)))
	}
	return b.String() + "x40"
}

// Expressions of everyday flows stay far below the bound.
func TestExpressionsThatAreFine(t *testing.T) {
	people := make([]any, 2_000)
	for i := range people {
		people[i] = map[string]any{"name": fmt.Sprint("Person ", i), "age": i % 90}
	}
	vars := map[string]any{"people": people, "text": strings.Repeat("Please call 5511999990001. ", 3_000)}
	for _, src := range []string{
		"filter(vars.people, .age > 18 && .name != 'Person 7')",
		"sortBy(vars.people, .name)",
		"map(vars.people, .name) | sort() | join(', ')",
		"vars.text matches '[0-9]{10,14}'",
		"split(vars.text, ' ')",
		"replace(vars.text, 'Please', 'Now')",
		"toJSON(vars.people)",
		"sum(vars.people, .age) / len(vars.people)",
	} {
		if _, _, err := evaluate(t, "${ "+src+" }", vars); err != nil {
			t.Errorf("%s: %v", src, err)
		}
	}
}

// Every function, loop and operator stays within the bound for any operands, and its result was
// paid for.
func TestCostOfEveryFunction(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7)) //nolint:gosec // a test's seed
	vars := map[string]any{}
	for i, v := range hostileValues() {
		vars[fmt.Sprint("v", i)] = v
	}
	names := slices.Sorted(maps.Keys(vars))
	pick := func() string { return "vars." + names[rnd.IntN(len(names))] }
	var forms []func() string
	for _, name := range append(slices.Sorted(maps.Keys(functions)), slices.Sorted(maps.Keys(own))...) {
		for n := range 5 {
			forms = append(forms, func() string {
				args := make([]string, n)
				for i := range args {
					args[i] = pick()
				}
				return name + "(" + strings.Join(args, ", ") + ")"
			})
		}
	}
	for _, name := range loops {
		forms = append(forms, func() string { return name + "(" + pick() + ", # == " + pick() + ")" },
			func() string { return name + "(" + pick() + ", " + pick() + ")" })
	}
	for _, op := range []string{"+", "-", "*", "/", "%", "**", "==", "!=", "<", ">=", "in", "not in", "contains", "startsWith", "endsWith", "matches", "..", "??"} {
		forms = append(forms, func() string { return pick() + " " + op + " " + pick() })
	}
	forms = append(forms, func() string { return pick() + "[" + pick() + "]" }, func() string { return pick() + "[" + pick() + ":" + pick() + "]" },
		func() string { return "{(" + pick() + "): 1}" })
	worked := 0
	for range 4 * len(forms) {
		src := forms[rnd.IntN(len(forms))]()
		tmpl, err := compileUntyped("${ "+src+" }", vars)
		if err != nil {
			continue
		}
		b := bindingsOf(vars)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		v, err := tmpl.eval(b)
		runtime.ReadMemStats(&after)
		if bytes := after.TotalAlloc - before.TotalAlloc; bytes > mostBytes {
			t.Errorf("%s allocates %d MiB (%v)", src, bytes>>20, err)
		}
		if err != nil {
			continue
		}
		worked++
		if spent := maxWork - b[meterName].(*meter).left; Size(v) > 8*spent {
			t.Errorf("%s gives %d bytes for %d units", src, Size(v), spent)
		}
	}
	if worked < 100 {
		t.Errorf("only %d calls worked: do the arguments still fit?", worked)
	}
}

// hostileValues are values that are large in one way each, and a few small ones.
func hostileValues() []any {
	deep := any("x")
	for range MaxDepth - 2 {
		deep = []any{deep}
	}
	shared := any("x")
	for range 40 {
		shared = []any{shared, shared}
	}
	numbers, words, object := make([]any, 50_000), make([]any, 5_000), map[string]any{}
	for i := range numbers {
		numbers[i] = i % 1000
	}
	for i := range words {
		words[i] = strings.Repeat("w", i%200)
		object[fmt.Sprint("k", i)] = i
	}
	return []any{nil, true, 0, -1, 3, 1 << 40, 2.5, "", "a", "asc", "2026-11-22", `{"a":[1,2]}`, "(a+)+$", "[a-z]{900}", []any{}, []any{"b", "a"}, []any{3, 1, 2},
		map[string]any{"a": 1}, []any{[]any{"k", 1}}, strings.Repeat("a", 200_000), strings.Repeat("é\"<\n", 20_000),
		strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000), "[" + strings.Repeat("{},", 60_000) + "0]", numbers, words, object, deep, shared}
}
