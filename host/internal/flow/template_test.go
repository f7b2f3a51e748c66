package flow_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/host/internal/flow"
)

func TestTemplate(t *testing.T) {
	vars := map[string]any{"n": 2, "f": 2.5, "s": "é", "b": true, "l": []any{1, "x"}, "o": map[string]any{"k": nil}}
	for src, want := range map[string]any{
		"plain":                          "plain",
		"":                               "",
		"${ vars.n }":                    2,
		" ${ vars.n }":                   " 2",
		"${vars.f}":                      2.5,
		"${ vars.n / 4 }":                0.5,
		"${ vars.n * 2.0 }":              4,
		"${ vars.b }":                    true,
		"${ vars.l }":                    []any{1, "x"},
		"${ vars.o }":                    map[string]any{"k": nil},
		"${ vars.o.k }":                  nil,
		"<${ vars.o.k }>":                "<>",
		"${ vars.s }${ vars.n }":         "é2",
		"$${ vars.n }":                   "${ vars.n }",
		"$5 $$ ${ vars.n }$":             "$5 $$ 2$",
		"${ \"}\" + '{' + `}` }":         "}{}",
		"${ {\"a\": {\"b\": 1}} }":       map[string]any{"a": map[string]any{"b": 1}},
		"${ vars.o.missing ?? 'no' }":    "no",
		"${ upper(vars.s) }":             "É",
		"${ filter(vars.l, # == 'x') }":  []any{"x"},
		"${ toJSON(vars.l) }":            "[\n  1,\n  \"x\"\n]",
		"${ event?.x }":                  nil,
		"${ date('2026-11-22').Year() }": 2026,
	} {
		got, err := flow.EvalTemplate(src, vars)
		if err != nil {
			t.Errorf("%q: %v", src, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", src, diff)
		}
	}
	for src, want := range map[string]string{
		"${ vars.n":                  "no closing brace",
		"${}":                        "empty",
		"${ 1 + }":                   "unexpected token",
		"${ $env }":                  "$env is not available",
		"${ $env['vars'] }":          "$env is not available",
		"${ now() }":                 "unknown name now",
		"${ os.Getenv('HOME') }":     "unknown name os",
		"x ${ vars.l }":              "no place inside a text",
		"${ event.x }":               "cannot fetch",
		"${ vars.s + vars.n }":       "invalid operation",
		"${ 0 / 0.0 }":               "not a number",
		"${ 1..9999999 }":            "cost more",
		"${ repeat('a', 99999999) }": "cost more",
		"${ " + strings.Repeat("1 + ", 600) + "1 }":  "nodes",
		"${ '" + strings.Repeat("a", 5000) + "' }":   "bytes",
		strings.Repeat("${ repeat('a', 90000) }", 3): "grows beyond",
	} {
		if got, err := flow.EvalTemplate(src, vars); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, %v; want an error with %q", src, got, err, want)
		}
	}
}
