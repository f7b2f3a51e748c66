package flow_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
)

// A value escaped by urlEncode arrives unchanged, and changes nothing around it.
func FuzzURLEncode(f *testing.F) {
	for _, s := range []string{"São Paulo", "a&admin=1", "a#b", "100%", "a+b", "/../x", "?", "", "\x00\r\nHost: x", "é\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := flow.EvalTemplate("https://shop.example/p/${ urlEncode(vars.s) }/end?q=${ urlEncode(vars.s) }&z=1", map[string]any{"s": s})
		if len(s) > 50_000 {
			return // may cost too much; see TestCostOfEveryFunction
		}
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(got.(string))
		if err != nil {
			t.Fatal(err)
		}
		segments := strings.Split(u.EscapedPath(), "/")
		q, err := url.ParseQuery(u.RawQuery)
		if err != nil || len(segments) != 4 || len(q) != 2 || q.Get("q") != s || q.Get("z") != "1" || u.Path != "/p/"+s+"/end" || u.Fragment != "" {
			t.Errorf("%q became %s", s, u)
		}
	})
}

func TestURLEncodeTakes(t *testing.T) {
	vars := map[string]any{"n": 2.5, "b": true, "l": []any{1}, "o": map[string]any{"k": nil}}
	for src, want := range map[string]any{"vars.n": "2.5", "vars.b": "true", "vars.o.k": "", "'a b'": "a%20b", "vars.l": nil, "vars.o": nil} {
		got, err := flow.EvalTemplate("${ urlEncode("+src+") }", vars)
		if got != want || (err == nil) != (want != nil) {
			t.Errorf("%s: %.50v %v, want %v", src, got, err, want)
		}
	}
}

// Unescaped text in a URL gives a warning.
func TestUnencodedText(t *testing.T) {
	cat, err := flow.NewCatalogue(flow.Operation{OperationManifest: sdk.OperationManifest{ID: "x@1", Kind: sdk.KindAction, Ports: []sdk.Port{{ID: flow.PortOut}}}})
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]bool{
		"https://shop.example/search?q=${ vars.s }":                             true,
		"HTTP://shop.example/${ vars.s }/x":                                     true,
		"https://shop.example?q=${ vars.n }&r=${ vars.s }":                      true,
		"https://shop.example/search?q=${ urlEncode(vars.s) }":                  false,
		"https://shop.example/orders/${ vars.n }":                               false,
		"https://${ vars.s }/x":                                                 false,
		"${ vars.s }/x":                                                         false,
		"https://shop.example/ is ours, ${ vars.s }":                            false,
		"https://shop.example/?q=${ urlEncode(vars.s) }&r=${ upper( vars.s ) }": true,
	} {
		flowSrc := fmt.Sprintf(`{"apiVersion":"flow/v1","kind":"Flow","metadata":{"id":"f"},"vars":{"properties":{"s":{"type":"string"},"n":{"type":"integer"}}},
			"triggers":[{"id":"t","type":"manual","to":"a"}],"nodes":[{"id":"a","type":"x@1","with":{"in":%q}}]}`, value)
		_, findings, err := flow.Load([]byte(flowSrc), cat)
		if err != nil {
			t.Fatal(err)
		}
		got := false
		for _, f := range findings {
			got = got || f.Code == "unencoded_text" && f.Severity == flow.SeverityWarning && f.Pointer == "/nodes/0/with/in"
		}
		if got != want {
			t.Errorf("%s: %v", value, findings)
		}
	}
}
