package jqguard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/itchyny/gojq"
)

func sample() any {
	return map[string]any{"a": 1, "b": []any{3, 1, 2}, "s": "one, two", "o": map[string]any{"x": nil, "y": true},
		"items": []any{map[string]any{"name": "A", "n": 2}, map[string]any{"name": "B", "n": 5}, map[string]any{"name": "A", "n": 7}}}
}

// A guarded program gives the same result as the unguarded one.
func TestSameAsJQ(t *testing.T) {
	for _, src := range []string{
		".", ".a", ".b[0]", ".b[-1]", ".b[1:]", ".b[:2]", `.["s"]`, `."s"`, ".o.y", ".nothing?.x", ".a + 1", ".a - 2 * 3 / 4 % 5", "[(1,2) + (10,20)]", "[(1,2) - (10,20)]",
		".b | sort", ".b | map(. * 2) | add", `.s | split(", ")`, `.b | map(tostring) | join("-")`, "[.items[] | .n] | max", ".items | group_by(.name) | map({name: .[0].name, n: map(.n) | add})",
		".items | map(select(.n > 2) | .name) | unique", ".items | sort_by(.n) | reverse | .[0].name", ".items | min_by(.n)", `"\(.a) and \(.b)"`, `@base64 "x\(.s)"`, ".s | @uri", ".b | @json",
		".a = 5", ".b[1] = 9", ".a += 1", ".b |= map(. + 1)", ".o.y //= 3", ".o.x //= 3", ".items[].n *= 2", "del(.a)", "del(.items[] | select(.n == 5))", ".o | to_entries", ".o | with_entries(.value |= tostring)",
		"[.b[] as $x | $x + 1]", ". as {a: $a, b: [$first]} | [$a, $first]", "reduce .b[] as $x (0; . + $x)", "[foreach .b[] as $x (0; . + $x)]", "[foreach .b[] as $x (0; . + $x; [$x, .])]",
		"if .a == 1 then \"one\" elif .a == 2 then \"two\" else \"more\" end", "try error(\"x\") catch .", "[.[]?] | length", "[.. | numbers]", "first(range(10; 20))", "[limit(3; repeat(1))]",
		"label $f | 1, break $f, 2", "def f(g): g | g; 2 | f(. * .)", "def f($x; $y): $x + $y; f(1; 2)", "def f: def g: 3; g; f", `.s | test("TWO"; "i")`, `.s | sub("one"; "1")`, `.s | gsub("(?<l>[a-z])"; "<\(.l)>")`,
		`[.s | match("[a-z]+"; "g").string]`, `.s | capture("(?<first>[a-z]+)")`, `[.s | scan("[a-z]+")]`, "[paths]", ".b | contains([1])", ".b | index(1)", ".o | has(\"x\")", ".o | keys", "-(.a)", "-.a",
		".a as $x | [$x, -$x]", "[.b[] | if . > 1 then empty else . end]", "all(.b[]; . > 0)", "{a, s}", "{(.s): 1}", "{\"k\\(.a)\": 2}", ".a as $v | {$v}", "0 | todate", "\"2026-11-26T10:00:00Z\" | fromdate", "[.b[], .a] | flatten",
		"(.a, .b[0]) = 7", ".b | .[1:] = [0]", "[1,[2]] | tojson", "\"[1,2]\" | fromjson", "[.items[] | .name as $n | select(.n > 2 and ($n == \"A\" or $n == \"B\") | not)]", ".. |= (if type == \"number\" then . + 1 else . end)",
	} {
		src = "[" + src + "]"
		if strings.HasPrefix(src, "[label") || strings.HasPrefix(src, "[def") || strings.HasPrefix(src, "[. as") {
			src = "[(" + src[1:len(src)-1] + ")]"
		}
		want, wrong := plain(src)
		p, err := Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		got, err := p.Run(context.Background(), sample())
		if wrong != "" || err != nil {
			t.Errorf("%s: %v, and unguarded %v", src, err, wrong)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-unguarded +guarded):\n%s", src, diff)
		}
	}
}

func plain(src string) (any, string) {
	q, err := gojq.Parse(src)
	if err != nil {
		return nil, err.Error()
	}
	v, _ := q.Run(sample()).Next()
	if err, bad := v.(error); bad {
		return nil, err.Error()
	}
	return v, ""
}

// A function that reads a clock, an environment or a file, or that has no price, cannot be called.
func TestRefused(t *testing.T) {
	for _, src := range []string{
		"now", "localtime", "strflocaltime(\"%H\")", "env", "$ENV", "{$ENV}", "input", "inputs", "halt", "halt_error", "debug", "modulemeta", `import "a" as a; .`, `include "a"; .`,
		"setpath([1000000000]; 1)", "getpath([1])", "pick(.[1])", "nth(5)", "transpose", "_add(1; 2)", "_tapnode_pay(1)", "builtins", "def f: .; g", "(def sort(x): .; sort(1)) | now", "tojson(1)", "add(.[])", "", "}", "1 +",
		"[.[] | now]", "{a: now}", "{(now): 1}", "reduce now as $x (0; .)", "if now then 1 else 2 end", "try now catch .", `"\(now)"`, ".[now]", ".[:now]", "-now", "now as [$a] | $a", ". as {(now): $a} | $a", "label $x | now", `@json "\(now)"`,
		"def f: now; f", "def f(g): g; f(now)", ".a = now", ".a += now", "now // 1", "[now]", ".a[now]?", "[.[] | sort_by(now)]", `sub("a"; now)`,
	} {
		if p, err := Compile(src); err == nil && src != "" {
			t.Errorf("%s was taken: %s", src, p.query)
		}
	}
}

// A program that would take all memory, or hours, is stopped before it does.
func TestBombs(t *testing.T) {
	big, deep := strings.Repeat("a", 200_000), any("x")
	for range 40 {
		deep = []any{deep, deep}
	}
	list := make([]any, 20_000)
	for i := range list {
		list[i] = fmt.Sprint("word ", i)
	}
	input := map[string]any{"big": big, "deep": deep, "list": list}
	for _, src := range []string{
		"reduce range(60) as $i (\"a\"; . + .)", "reduce range(60) as $i ([1]; . + .)", "reduce range(60) as $i ([1]; [., .]) | tojson", "reduce range(60) as $i ({}; {a: ., b: .}) | tostring",
		"\"a\" * 1000000000", "1000000000 * \"abc\"", ".big * 100000", "reduce range(60) as $i (10; . * .) | tostring", "reduce range(60) as $i (\"a\"; . += .)", "reduce range(60) as $i ({a: \"a\"}; .a += .a)",
		"reduce range(60) as $i (\"a\"; \"\\(.)\\(.)\")", "reduce range(60) as $i (\"a\"; . as $x | [$x, $x] | join($x))", "reduce range(60) as $i ([\"a\"]; [.[], .[]] | join(\"\") | [.])", "[range(1000000000)]", "[repeat(1)]", "def f: f; f", "def f: ., f; [f]", "last(repeat(1))",
		".deep | tojson", ".deep == .deep", ".deep | flatten", ".deep | [..] | length", ".deep | @json", "\"\\(.deep)\"", ".deep as $d | $d < $d", ".deep | walk(.)", ".deep | tostring | length",
		"[.big, .big] as $x | [range(1000) | $x[]] | add", ".list - .list", ".list | join(.[0] * 1000 | tostring)", ".list as $l | $l | map(. as $x | $l | index($x))",
		"[.list, .list, .list] | [combinations] | length", ".big | test(\"(a*)*b\" * 50)", ".big | test(\"([a-z]{500}){1,2}b\")", ".big | gsub(\"a\"; \"bb\")", ".big | [match(\"\"; \"g\")] | length",
		".list | sort_by(. * 1000)", "[limit(1000000000; repeat(\"a\"))] | add", "try reduce range(60) as $i (\"a\"; . + .) catch 1", "[.[]?, (try error(\"x\") catch (. * 1000000000))]", ".big | [splits(\"\")] | length", "until(false; .)", "[while(true; .)]", "[recurse(.)]", "[recurse([., .])]",
		"@base64 \"\\(reduce range(40) as $i (\"a\"; . + .))\"", ".big | explode | map([., .]) | flatten | implode | . * 100", "[[range(100000)], [range(100000)]] | map(map([.])) | tojson | . + . + . + . + . + . + .  + .",
	} {
		p, err := Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = p.Run(context.Background(), input)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrCost) {
			t.Errorf("%s: %.100v", src, err)
		}
		if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 1<<29 {
			t.Errorf("%s allocates %d MiB", src, bytes>>20)
		}
	}
}

// A run ends when its context does, and gives exactly one result.
func TestRun(t *testing.T) {
	p, err := Compile("[range(100000)] | length")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Run(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for src, want := range map[string]string{"empty": "no result", "1, 2": "several results", "error(\"mine\")": "mine", ".a.b": "expected an object",
		".[1000000000] = 1": "an index is", "null | .[1000000000] = 1": "an index is", "[] | .[1e9] |= 3": "an index is", "null | .[500000000:] = [1]": "an index is", "[] | .[(1000000000, 1)] = 1": "an index is",
		"[1] | .[[1]]": "an index is", "[1] | .[{start: 500000000}] = [1]": "an index is", ". as {([1]): $x} | $x": "an index is", "null | .[1:500000000] = [1]": "an index is"} {
		p, err := Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Run(context.Background(), map[string]any{"a": 1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", src, err)
		}
	}
}

// FuzzProgram: any program ends, leaves its input unchanged, and gives a JSON value or an error.
func FuzzProgram(f *testing.F) {
	for _, s := range []string{".", ".a += 1", "reduce .b[] as $x (0; . + $x)", "[.items[] | {name}]", `"\(.)"`, "def f: .; f", ".. |= .", "[paths]", `.s | gsub("o"; "0")`, "[.[1:]?]", "1 as $x | 2 as $y | [$x, $y, $__loc__]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		p, err := Compile(src)
		if err != nil {
			return
		}
		in := sample()
		v, err := p.Run(context.Background(), in)
		if diff := cmp.Diff(sample(), in); diff != "" {
			t.Fatalf("%q changes its input:\n%s", src, diff)
		}
		if err != nil {
			return
		}
		if _, err := json.Marshal(v); err != nil && !strings.Contains(err.Error(), "unsupported value") {
			t.Fatalf("%q gives %v: %v", src, v, err)
		}
	})
}
