package flow

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/expr-lang/expr/types"
)

// TestPage evaluates every example of docs/flows.md. The page must have an example of each function
// that expressions have, and the reason for each that they lack.
func TestPage(t *testing.T) {
	src, err := os.ReadFile("../../../docs/flows.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(src)
	row := regexp.MustCompile("(?m)^\\| `(.+)` \\| `(.+)` \\|$")
	used := map[string]bool{}
	for _, table := range []string{"examples", "functions"} {
		_, rest, _ := strings.Cut(page, "<!-- "+table+" -->\n")
		rows, _, ended := strings.Cut(rest, "<!-- end -->")
		if !ended {
			t.Fatalf("the page has no table of %s", table)
		}
		for _, m := range row.FindAllStringSubmatch(rows, -1) {
			expression, want := strings.ReplaceAll(m[1], `\|`, "|"), m[2]
			if got := evaluated(t, expression); got != want {
				t.Errorf("%s gives %s, not %s", expression, got, want)
			}
			if name, _, ok := strings.Cut(expression, "("); ok && table == "functions" {
				used[name] = true
			}
		}
	}
	all := slices.Concat(slices.Collect(maps.Keys(functions)), slices.Collect(maps.Keys(own)), loops)
	for _, name := range all {
		if !used[name] {
			t.Errorf("the page has no example of %s", name)
		}
		delete(used, name)
	}
	for name := range used {
		t.Errorf("the page has %s, which is no function", name)
	}
	for name, why := range missing {
		if !strings.Contains(strings.Join(strings.Fields(page), " "), "`"+name+"` ("+why+")") {
			t.Errorf("the page does not say why there is no %s: %s", name, why)
		}
	}
}

// The names that groupBy makes of the members of a list may collide, which is an error.
func TestObjectWithTwoOfAName(t *testing.T) {
	if got := evaluated(t, `groupBy([1, "1"], #)`); !strings.Contains(got, `two members of the result have the name "1"`) {
		t.Error(got)
	}
}

// evaluated returns the value of an expression as JSON.
func evaluated(t *testing.T, expression string) string {
	t.Helper()
	env := declare(types.Map{})
	c, _, errs := compileTemplate("${ "+expression+" }", environment{lenient: env, strict: env})
	if len(errs) > 0 {
		return errs[0].Error()
	}
	v, err := c.eval(bindings{meterName: newMeter()})
	if err != nil {
		return err.Error()
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
