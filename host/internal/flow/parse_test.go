package flow_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// Every faulty file gives an error that names what is wrong.
func TestParseLimits(t *testing.T) {
	repeat := strings.Repeat
	for name, c := range map[string]struct{ src, code string }{
		"16 MiB and one byte":   {repeat("a", 16<<20+1), "too_large"},
		"1 MiB and one byte":    {repeat("a", 1<<20+1), "too_large"},
		"json 10,000 deep":      {`{"a":` + repeat("[", 10_000) + repeat("]", 10_000) + "}", "too_deep"},
		"json 10,000 open":      {`{"a":` + repeat("[", 10_000), "too_deep"},
		"yaml flow 1,000 deep":  {"a: " + repeat("[", 1_000) + repeat("]", 1_000), "too_deep"},
		"yaml 10,001 deep":      {"a: " + repeat("[", 10_001) + repeat("]", 10_001), "syntax"},
		"yaml 1 MiB of openers": {"a: " + repeat("{", 1<<20-3), "syntax"},
		"yaml blocks 200 deep":  {blocks(200), "too_deep"},
		"not UTF-8":             {"a: \xff", "invalid_utf8"},
		"not UTF-8 in json":     {"{\"a\": \"\xc3\x28\"}", "invalid_utf8"},
		"half a pair in json":   {`{"a": "\ud83d"}`, "invalid_utf8"},
		"control character":     {"a: \x00", "syntax"},
		"billion laughs":        {"a: &a [x]\nb: &b [*a,*a]\n", "alias"},
		"merge key":             {"a: {<<: {b: c}}", "key_not_string"},
		"tag":                   {"a: !!binary aGk=", "tag"},
		"not a number":          {"a: .nan", "number"},
		"huge json number":      {`{"a": 1e999}`, "number"},
		"nothing":               {" \n\t ", "empty"},
		"a list":                {"[]", "type"},
		"json with a tail":      {"{} {}", "syntax"},
		"json cut off":          {`{"a": [1,`, "syntax"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := flow.Parse([]byte(c.src))
			var invalid *flow.InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("no InvalidError: %v", err)
			}
			if got := invalid.Findings[0].Code; got != c.code {
				t.Errorf("code %s, want %s: %v", got, c.code, invalid.Findings[0])
			}
		})
	}
}

// A text that needs quotes is the commonest mistake in YAML; the finding says so, at the line of
// the text.
func TestYAMLSlips(t *testing.T) {
	const head = "apiVersion: flow/v1\nkind: Flow\nmetadata: {id: f}\nnodes:\n"
	for name, c := range map[string]struct {
		src  string
		line int
		want string
	}{
		"an expression in braces":    {head + "  - {id: a, with: {message: Hello ${ vars.name }}}\n", 5, "into quotes"},
		"an expression first":        {head + "  - {id: a, with: {message: ${ vars.name } there}}\n", 5, "into quotes"},
		"a colon in braces":          {head + "  - {id: a, with: {message: Note: now}}\n", 5, "into quotes"},
		"a comma in braces":          {head + "  - {id: a, with: {message: Hello, Ana}}\n", 5, "put that text into quotes"},
		"a brace in the next line":   {head + "  - {id: a,\n     with: {message: x}\nedges: []\n", 5, "into quotes"},
		"a colon in a text":          {head + "  - id: a\n    name: Note: now\n", 6, "with a colon into quotes"},
		"a list closed by a brace":   {head + "  - {id: a, list: [1, 2}}\n", 5, "into quotes"},
		"a comment in braces":        {head + "  - {id: a, name: x # y}\n", 5, "into quotes"},
		"a second document":          {head + "  - {id: a}\n---\nx: 1\n", 6, "file of its own"},
		"a key outside the document": {" a: 1\nb: 2\n", 2, "indent all top-level keys alike"},
		"text after three dots":      {"a: 1\n...\nb: 2\n", 3, "nothing follow"},
		"text after a list":          {"[1]\nb: 2\n", 2, "indent all top-level keys alike"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := flow.Parse([]byte(c.src))
			var invalid *flow.InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("no InvalidError: %v", err)
			}
			if f := invalid.Findings[0]; len(invalid.Findings) != 1 || f.Line != c.line || !strings.Contains(f.Suggestion, c.want) {
				t.Errorf("%v; want line %d and advice %q", invalid.Findings, c.line, c.want)
			}
		})
	}
	for _, end := range []string{"", "...\n", "...\n# the end\n", "\n\n"} {
		src := "---\napiVersion: flow/v1\nkind: Flow\nmetadata: {id: f}\ntriggers: [{id: t, type: manual, to: a}]\nnodes: [{id: a, type: log@1}]\n" + end
		if _, err := flow.Parse([]byte(src)); err != nil {
			t.Errorf("a flow that ends with %q: %v", end, err)
		}
	}
}

func blocks(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
	}
	return b.String()
}

// YAML and JSON give the same model, so a flow has the same digest in both, whatever its layout and
// the order of its keys.
func TestDigest(t *testing.T) {
	digest := func(src string) string {
		f, err := flow.Parse([]byte(src))
		if err != nil {
			t.Fatal(err)
		}
		return f.Digest
	}
	yaml := digest(`
apiVersion: flow/v1
kind: Flow
metadata: {id: f, version: 2}
triggers: [{id: t, type: manual, to: a}]
nodes: [{id: a, type: log@1, with: {message: "é", n: 1.0, big: 12345678901234567890}}]
`)
	json := digest(`{"kind": "Flow", "ui": {"x": 1}, "apiVersion": "flow/v1", "metadata": {"version": 2.0, "id": "f"},
"nodes": [{"with": {"big": 12345678901234567890, "n": 1, "message": "\u00e9"}, "type": "log@1", "id": "a"}],
"triggers": [{"to": "a", "type": "manual", "id": "t"}]}`)
	if yaml != json {
		t.Errorf("the digests differ: %s, %s", yaml, json)
	}
	if other := digest(`{"apiVersion": "flow/v1", "kind": "Flow", "metadata": {"id": "f", "version": 3},
"nodes": [{"id": "a", "type": "log@1"}], "triggers": [{"id": "t", "type": "manual", "to": "a"}]}`); other == json {
		t.Error("another flow has the same digest")
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "1h30m": 90 * time.Minute, "3d": 72 * time.Hour, "0s": 0,
		"": -1, "5": -1, "h": -1, "1w": -1, "-1s": -1, "1h ": -1, "999999999999d": -1, "999999999d999999999d": -1,
	} {
		var d flow.Duration
		err := d.UnmarshalText([]byte(text))
		if err == nil != (want >= 0) || err == nil && time.Duration(d) != want {
			t.Errorf("%q: %v, %v; want %v", text, time.Duration(d), err, want)
		}
		if err != nil {
			continue
		}
		var back flow.Duration
		again, _ := d.MarshalText()
		if err := back.UnmarshalText(again); err != nil || back != d {
			t.Errorf("%q comes back as %s: %v, %v", text, again, back, err)
		}
	}
}
