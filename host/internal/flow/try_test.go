package flow_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/host/internal/flow"
)

func TestTry(t *testing.T) {
	data := map[string]any{
		"vars":  map[string]any{"name": "Ana", "n": 2, "list": []any{"a"}},
		"nodes": map[string]any{"ask": map[string]any{"messageId": "3EB0"}},
		"event": map[string]any{"button": map[string]any{"id": "yes"}},
		"run":   map[string]any{"id": "r1", "version": 3},
	}
	for template, want := range map[string]any{
		"plain":                          "plain",
		"Hello ${ vars.name }":           "Hello Ana",
		"${ vars.n + 1 }":                3,
		"${ vars.list }":                 []any{"a"},
		"${ nodes.ask.messageId }":       "3EB0",
		"${ event.button.id == 'yes' }":  true,
		"${ run.id } ${ run.version }":   "r1 3",
		"${ vars.missing }":              nil,
		"${ error?.code ?? 'none' }":     "none",
		"$${ vars.name }":                "${ vars.name }",
		"${ {\"a\": vars.n} }":           map[string]any{"a": 2},
		"${ map(vars.list, upper(#)) }!": nil,
	} {
		got, err := flow.Try(template, data)
		if strings.HasSuffix(template, "!") {
			if err == nil {
				t.Errorf("%q: a list has no place in a text, got %v", template, got)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", template, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", template, diff)
		}
	}
	for template, want := range map[string]string{
		"${ vars.n +":                  "no closing brace",
		"${}":                          "empty",
		"${ secrets.key }":             "unknown name secrets",
		"${ repeat('a', 99999999) }":   "cost more",
		"${ vars.name.first.letter }":  "invalid operation",
		"${ vars.n + vars.name + [] }": "invalid operation",
	} {
		if got, err := flow.Try(template, data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want an error with %q", template, got, err, want)
		}
	}
	if got, err := flow.Try("${ vars.x ?? 'nothing' }", nil); err != nil || got != "nothing" {
		t.Errorf("without data: %v, %v", got, err)
	}
}
