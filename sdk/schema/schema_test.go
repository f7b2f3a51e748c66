package schema_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/sdk/schema"
)

func compile(t testing.TB, text string) *schema.Schema {
	t.Helper()
	s, err := schema.Compile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func codes(findings []schema.Finding) string {
	var out []string
	for _, f := range findings {
		out = append(out, f.Pointer+" "+f.Code)
	}
	return strings.Join(out, ", ")
}

const shape = `{
	"type":"object","additionalProperties":false,"required":["kind"],
	"properties":{
		"kind":{"enum":["A","B"]},
		"n":{"type":"integer","minimum":1,"maximum":3,"multipleOf":1},
		"list":{"type":"array","minItems":1,"maxItems":2,"uniqueItems":true,"items":{"$ref":"#/$defs/button"}},
		"a/b~c":{"type":"string","pattern":"^[0-9]+$"},
		"only":{"const":7},
		"x":{"type":"string"}
	},
	"dependentRequired":{"x":["n"]},
	"$defs":{"button":{"oneOf":[
		{"type":"object","required":["type","url"],"properties":{"type":{"const":"URL"},"url":{"type":"string","minLength":9}}},
		{"type":"object","required":["type","phone"],"properties":{"type":{"const":"CALL"},"phone":{"type":"string","maxLength":3}}}
	]}}
}`

func TestCheckFindsEverything(t *testing.T) {
	tests := []struct{ name, document, want string }{
		{"good", `{"kind":"A"}`, ""},
		{"empty is an object", ``, "/kind required"},
		{"all at once", `{"n":0,"zebra":1,"only":8}`, "/kind required, /n minimum, /only const, /zebra unknown_member"},
		{"pointer is escaped", `{"kind":"A","a/b~c":"no"}`, "/a~1b~0c pattern"},
		{"type", `{"kind":"A","n":"1"}`, "/n type"},
		{"together with", `{"kind":"A","x":""}`, "/n required"},
		{"oneOf: the branch that was meant", `{"kind":"A","list":[{"type":"URL","url":"short"}]}`, "/list/0/url min_length"},
		{"oneOf: also when it lacks something", `{"kind":"A","list":[{"type":"CALL"}]}`, "/list/0/phone required"},
		{"oneOf: nobody was meant", `{"kind":"A","list":[{"type":"FAX"}]}`, "/list/0 no_shape_fits"},
		{"elements by number", `{"kind":"A","list":[{"type":"URL","url":"123456789"},{"type":"CALL","phone":"1234"},{"type":"CALL","phone":"12345"}]}`, "/list max_items, /list/1/phone max_length, /list/2/phone max_length"},
		{"equal elements", `{"kind":"A","list":[{"type":"CALL","phone":"1"},{"type":"CALL","phone":"1"}]}`, "/list unique_items"},
	}
	s := compile(t, shape)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, findings := s.Check([]byte(tt.document))
			if got := codes(findings); got != tt.want {
				t.Errorf("got  %s\nwant %s\n%+v", got, tt.want, findings)
			}
		})
	}
}

// The messages are for people, and hosts show them.
func TestMessages(t *testing.T) {
	s := compile(t, shape)
	_, findings := s.Check([]byte(`{"kind":"C","n":9,"list":[],"a/b~c":"secret-0151","x":5}`))
	var got strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&got, "%s: %s\n", f.Pointer, f.Message)
	}
	want := `/a~1b~0c: must match ^[0-9]+$
/kind: must be one of "A", "B"
/list: must have at least 1 element, has 0
/n: must be at most 3
/x: must be string, not number
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}

func TestMessagesOfEveryKeyword(t *testing.T) {
	s := compile(t, `{"type":"object","minProperties":30,"properties":{
		"const":{"const":{"a":1}},"long":{"minLength":2},"items":{"maxItems":1},
		"above":{"exclusiveMinimum":1.5},"below":{"exclusiveMaximum":1},"step":{"multipleOf":5},"max":{"maximum":0},
		"not":{"not":{"type":"string"}},"has":{"contains":{"type":"string"}},"few":{"contains":{},"maxContains":1},
		"names":{"propertyNames":{"maxLength":1}},"props":{"maxProperties":0},"never":false,
		"tuple":{"prefixItems":[{}],"items":false},"two":{"oneOf":[{"type":"integer"},{"minimum":0}]},"any":{"anyOf":[{"type":"string"},{"type":"array"}]},
		"cond":{"if":{"type":"string"},"then":{"minLength":9}},"all":{"allOf":[{"type":"string"},{"minLength":3}]},
		"free":{"unevaluatedProperties":false}}}`)
	_, findings := s.Check([]byte(`{"const":1,"long":"","items":[1,2],"above":1,"below":1,"step":7,"max":1,"not":"","has":[],"few":[1,2],
		"names":{"nm":1},"props":{"a":1},"never":1,"tuple":[1,2],"two":1,"any":1,"cond":"short","all":"a","free":{"a":1}}`))
	var got strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&got, "%s %s: %s\n", f.Pointer, f.Code, f.Message)
	}
	want := ` min_properties: must have at least 30 members, has 19
/above exclusive_minimum: must be greater than 1.5
/all min_length: must have at least 3 characters, has 1
/any no_shape_fits: fits none of the allowed shapes
/below exclusive_maximum: must be less than 1
/cond min_length: must have at least 9 characters, has 5
/const const: must be {"a":1}
/few max_contains: has too many elements of one shape
/free/a not_allowed: is not allowed here
/has contains: misses an element of the required shape
/items max_items: must have at most 1 element, has 2
/long min_length: must have at least 2 characters, has 0
/max maximum: must be at most 0
/names/nm property_names: a member must not have this name
/never not_allowed: is not allowed here
/not not: has a shape that is not allowed
/props max_properties: must have at most 0 members, has 1
/step multiple_of: must be a multiple of 5
/tuple/1 not_allowed: is not allowed here
/two one_of: fits more than one of the allowed shapes
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}

func TestDefaults(t *testing.T) {
	s := compile(t, `{"type":"object","properties":{
		"a":{"type":"integer","default":1},
		"sub":{"type":"object","default":{},"properties":{"b":{"type":"string","default":"x"}}},
		"list":{"type":"array","items":{"$ref":"#/$defs/e"}},
		"big":{"type":"integer"}},
		"$defs":{"e":{"type":"object","properties":{"type":{"type":"string","default":"REPLY"}}}}}`)
	tests := []struct{ document, want string }{
		{`{"list":[{},{"type":"URL"}],"big":12345678901234567890}`, `{"a":1,"big":12345678901234567890,"list":[{"type":"REPLY"},{"type":"URL"}],"sub":{"b":"x"}}`},
		{` {"a":2, "sub":{"b":""}}`, ` {"a":2, "sub":{"b":""}}`}, // nothing to fill in: the same bytes
	}
	for range 2 { // a default must not be shared between documents
		for _, tt := range tests {
			got, findings := s.Check([]byte(tt.document))
			if string(got) != tt.want || len(findings) > 0 {
				t.Errorf("got %s %v, want %s", got, findings, tt.want)
			}
		}
	}
}

func TestDefaultsOfARecursiveSchemaEnd(t *testing.T) {
	s := compile(t, `{"type":"object","properties":{"child":{"$ref":"#","default":{}}}}`)
	got, findings := s.Check([]byte(`{}`))
	if len(findings) > 0 || len(got) > 10_000 {
		t.Errorf("%d bytes, %v", len(got), findings)
	}
}

func TestFindingsOfValues(t *testing.T) {
	s, err := schema.CompileValue(map[string]any{
		"type": "object",
		"properties": map[string]any{
			"buttons": map[string]any{"x-uniqueBy": []any{"/id"}, "maxItems": 4},
			"code":    map[string]any{"type": "string", "minLength": 2, "pattern": "^[a-z]+$", "examples": []any{"ab"}, "default": "xy"},
			"at":      map[string]any{"format": "date"},
			"n":       map[string]any{"type": "integer", "maximum": 3.5, "default": 2},
		},
	}, schema.AssertFormats())
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]any{"n": 3, "at": "2026-11-26", "buttons": []any{map[string]any{"id": "a"}, map[string]any{}, map[string]any{"id": 1}, map[string]any{"id": 1}}}
	if findings := s.Findings(good); findings != nil {
		t.Error(findings)
	}
	filled := s.WithDefaults(good)
	if _, changed := good["code"]; changed || filled.(map[string]any)["code"] != "xy" || s.WithDefaults(map[string]any{}).(map[string]any)["n"] != 2 {
		t.Errorf("filled in %v, and changed %v", filled, good)
	}
	var got strings.Builder
	for _, f := range s.Findings(map[string]any{"n": 4.5, "code": "", "at": "noon", "buttons": []any{map[string]any{"id": "a"}, map[string]any{"id": "a"}}}) {
		fmt.Fprintf(&got, "%s %s: %s: %s\n", f.Code, f.Pointer, f.Message, f.Suggestion)
	}
	want := `format /at: is not a valid date:%20
duplicate /buttons/1/id: is the same as /buttons/0/id: give each its own
min_length /code: must have at least 2 characters, has 0: for example "ab"
type /n: must be integer, not number:%20
`
	want = strings.ReplaceAll(want, "%20", " ")
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}

func TestDocument(t *testing.T) {
	deep := strings.Repeat(`{"a":`, schema.MaxDepth)
	tests := []struct{ name, document, want string }{
		{"object", `{"a":[1,{"a":2},"a"],"b":"a"}`, ""},
		{"as deep as it may", deep + "1" + strings.Repeat("}", schema.MaxDepth), ""},
		{"too deep", deep + "[1]" + strings.Repeat("}", schema.MaxDepth), strings.Repeat("/a", schema.MaxDepth) + " too_deep"},
		{"too deep and broken", strings.Repeat("[", 1<<20), strings.Repeat("/0", schema.MaxDepth) + " too_deep"},
		{"too large", `{"a":"` + strings.Repeat("a", schema.MaxBytes) + `"}`, " too_large"},
		{"not UTF-8", "{\"a\":\"\xff\"}", "/a not_utf8"},
		{"not JSON", `{"a":}`, "/a not_json"},
		{"half of a surrogate pair", `{"a":"\ud83d"}`, "/a not_utf8"},
		{"two documents", `{} {}`, " not_json"},
		{"nothing", ` `, " not_json"},
		{"array", ` [1]`, " not_an_object"},
		{"number", `1`, " not_an_object"},
		{"twice", `{"a":1,"b":{"c":[{},{"d":1,"d":2}]}}`, "/b/c/1/d duplicate_member"},
		{"twice, written differently", `{"a":1,"\u0061":2}`, "/a duplicate_member"},
		{"quotes in names", `{"\"":1,"\\":2,"x\"":{"}":3}}`, ""},
		{"too small a number", `{"a":1e-999999999}`, "/a number_range"},
		{"too long a number", `{"a":1` + strings.Repeat("0", 300) + "." + strings.Repeat("0", 800) + `}`, "/a number_range"},
		{"too large a number", `{"a":[0,-1e-9,1e999]}`, "/a/2 number_range"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []schema.Finding
			if f := schema.Document([]byte(tt.document)); f != nil {
				got = append(got, *f)
			}
			if codes(got) != tt.want {
				t.Errorf("got %q, want %q", codes(got), tt.want)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "other.json")
	if err := os.WriteFile(outside, []byte(`{}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`{`, `{"type":"strnig"}`, `{"pattern":"("}`, `{"$ref":"file://` + outside + `"}`, `{"$ref":"https://example.com/x.json"}`, `{"$ref":"#/nowhere"}`} {
		if _, err := schema.Compile([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestCheckSettings(t *testing.T) {
	s := compile(t, `{"type":"object","additionalProperties":false,"properties":{
		"db":{"type":"object","additionalProperties":false,"properties":{"host":{"type":"string","default":"here"},"password":{"type":"string","writeOnly":true,"minLength":3}},"required":["password"]},
		"keys":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"key":{"$ref":"#/$defs/key"}}}}},
		"$defs":{"key":{"type":"string","writeOnly":true}}}`)
	tests := []struct {
		name, settings string
		secrets        map[string][]byte
		want           string // settings, or codes
	}{
		{"together", `{"db":{}}`, map[string][]byte{"/db/password": []byte("abc")}, `{"db":{"host":"here"}}`},
		{"the parent appears", `{}`, map[string][]byte{"/db/password": []byte("abc")}, `{"db":{}}`},
		{"in an array", `{"keys":[{"name":"a"}]}`, map[string][]byte{"/keys/0/key": []byte("abc")}, `{"keys":[{"name":"a"}]}`},
		{"no such element", `{"keys":[]}`, map[string][]byte{"/keys/0/key": []byte("abc")}, "/keys/0/key unknown_secret"},
		{"missing", `{"db":{}}`, nil, "/db/password required"},
		{"too short", `{"db":{}}`, map[string][]byte{"/db/password": []byte("a")}, "/db/password min_length"},
		{"in the open", `{"keys":[{"key":"abc"}]}`, nil, "/keys/0/key secret_in_settings"},
		{"no secret at all", `{}`, map[string][]byte{"/db/host": nil, "": nil, "x": nil}, " unknown_secret, /db/host unknown_secret, x unknown_secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, findings := s.CheckSettings([]byte(tt.settings), tt.secrets)
			if len(findings) > 0 {
				got = []byte(codes(findings))
			}
			if string(got) != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// BenchmarkCheck measures 1 KiB: the document check alone, and with a schema.
func BenchmarkCheck(b *testing.B) {
	document := []byte(`{"kind":"A","list":[{"type":"URL","url":"` + strings.Repeat("a", 900) + `"},{"type":"CALL","phone":"1"}]}`)
	b.Run("document", func(b *testing.B) {
		b.SetBytes(int64(len(document)))
		for b.Loop() {
			if f := schema.Document(document); f != nil {
				b.Fatal(f)
			}
		}
	})
	b.Run("schema", func(b *testing.B) {
		s := compile(b, shape)
		b.SetBytes(int64(len(document)))
		b.ReportAllocs()
		for b.Loop() {
			if _, f := s.Check(document); f != nil {
				b.Fatal(f)
			}
		}
	})
}

// Findings are in the order of the document as far as a pointer shows it.
func TestOrder(t *testing.T) {
	s := compile(t, `{"additionalProperties":{"type":"array","items":{"additionalProperties":{"type":"string"}}}}`)
	wrong := `[{},{},{"b":1,"a":2},{},{},{},{},{},{},{},{"10":1,"9":2,"09":3,"1a":6,"a/b":4,"a":5}]`
	_, findings := s.Check([]byte(`{"list":` + wrong + `,"li":7,"lists":8}`))
	var got []string
	for _, f := range findings {
		got = append(got, f.Pointer)
	}
	want := "/li /list/2/a /list/2/b /list/10/9 /list/10/10 /list/10/09 /list/10/1a /list/10/a /list/10/a~1b /lists"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}
