package flow_test

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
)

// FuzzParse: any bytes give a program or an InvalidError that says why not.
func FuzzParse(f *testing.F) {
	for _, src := range flowtest.Sources(f, "../../../examples/flows/*.yaml", "testdata/findings/*.txt", "run/testdata/runs/*.txt") {
		f.Add(src)
	}
	cat := flowtest.Catalogue(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		_, findings, err := flow.Load(src, cat)
		var invalid *flow.InvalidError
		switch {
		case err == nil && flow.HasErrors(findings):
			t.Fatalf("it compiles in spite of %v", findings)
		case err != nil && (!errors.As(err, &invalid) || !flow.HasErrors(invalid.Findings)):
			t.Fatalf("an error without a finding: %v", err)
		}
	})
}

// FuzzTemplate: a template compiles and runs within its bounds, or the error says why not; the
// result is JSON.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"plain", "${ vars.n }", "a ${ vars.s } b ${ vars.n + 1 }", "$${ literal }", "${ \"}\" }", "${ {'a': {}} }", "${", "${}", "$", "${ `}` }",
		"${ map(1..9, # * vars.n) }", "${ filter(vars.l, # > 1)[0] }", "${ repeat('a', 999999999) }", "${ 1..1000000 }",
		"${ nodes.a?.x ?? event.y }", "${ $env }", "${ now() }", "${ vars.s matches '(a*)*b' }", "${ 0 / 0 }", "${ 9223372036854775807 + 1 }",
		"${ toJSON(vars) }", "${ fromJSON('[1,2.5]') }", "${ all(1..999, all(1..999, all(1..999, true))) }", "${ let x = 1; x }", "${ date('2020-01-01') }",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			t.Skip("files are UTF-8")
		}
		v, err := flow.EvalTemplate(s, map[string]any{"n": 2, "s": "text", "l": []any{1, 2, 3}})
		if err != nil {
			return
		}
		raw := toJSON(t, v)
		back, err := flow.DecodeJSON(raw)
		if err != nil {
			t.Fatalf("%q gives %s, which is not JSON: %v", s, raw, err)
		}
		if string(toJSON(t, back)) != string(raw) {
			t.Fatalf("%q gives %s, which changes to %s", s, raw, toJSON(t, back))
		}
	})
}

func toJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
