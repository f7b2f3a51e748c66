package seed

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/sdk"
)

const sending = `{"additionalProperties":false,
	"properties":{"instance":{},"number":{},"contentText":{},"buttons":{"type":"array","items":{"$ref":"#/$defs/button"}},"any":{"type":"object"}},
	"$defs":{"button":{"additionalProperties":false,"properties":{"id":{}, "next":{"$ref":"#/$defs/button"}}}}}`

// Members that the schema does not have are removed with a warning. The rest stays as it is,
// including mistakes, which the operation reports.
func TestBody(t *testing.T) {
	for _, c := range []struct {
		name, operation, body, read string
		pointers                    []string
	}{
		{"nothing to do", "a@1", ` {"number" : 1e0 } `, ` {"number" : 1e0 } `, nil},
		{"unknown members", "a@1", `{"number":1e0,"x":[1,2],"a/b":{}}x`, `{"number":1e0}x`, []string{"/x", "/a~1b"}},
		{"the path's member", "a@1", `{"instance":"other"}`, `{}`, []string{"/instance"}},
		{"in elements", "a@1", `{"buttons":[{"id":"1"},{"id":"2","y":0,"next":{"z":0}},5]}`, `{"buttons":[{"id":"1"},{"id":"2","next":{}},5]}`, []string{"/buttons/1/y", "/buttons/1/next/z"}},
		{"open object", "a@1", `{"any":{"q":1}}`, `{"any":{"q":1}}`, nil},
		{"wrong kinds", "a@1", `{"buttons":{"q":1},"number":[{}]}`, `{"buttons":{"q":1},"number":[{}]}`, nil},
		{"member twice", "a@1", `{"number":1,"number":2,"x":0}`, `{"number":1,"number":2}`, []string{"/x"}},
		{"no JSON", "a@1", `{"x":`, `{"x":`, nil},
		{"no object", "a@1", `[{"x":1}]`, `[{"x":1}]`, nil},
		{"empty", "a@1", ``, ``, nil},
		{"message", texts, `{"message":"a","number":"1"}`, `{"contentText":"a","number":"1"}`, nil},
		{"text", texts, `{"text":"a"}`, `{"contentText":"a"}`, nil},
		{"both", texts, `{"text":"a","message":"b"}`, `{"contentText":"b"}`, []string{"/text"}},
		{"the operation's own name", texts, `{"message":"a","contentText":"b"}`, `{"contentText":"b"}`, []string{"/message"}},
		{"message twice", texts, `{"message":"a","message":"b"}`, `{"contentText":"a","contentText":"b"}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			read, warnings := NewBody(sdk.OperationManifest{ID: c.operation, Input: []byte(sending)}, []string{"instance"}).Read([]byte(c.body))
			var pointers []string
			for _, w := range warnings {
				pointers = append(pointers, w.Pointer)
			}
			if diff := cmp.Diff(c.pointers, pointers); diff != "" || string(read) != c.read {
				t.Errorf("read %s, want %s; pointers %s", read, c.read, diff)
			}
		})
	}
	if read, warnings := NewBody(sdk.OperationManifest{ID: "a@1"}, nil).Read([]byte(`{"x":1}`)); string(read) != `{"x":1}` || warnings != nil {
		t.Errorf("without a schema: %s, %v", read, warnings)
	}
}

func FuzzBody(f *testing.F) {
	f.Add(`{"buttons":[{"id":"1","x":2}],"message":"a"}`)
	b := NewBody(sdk.OperationManifest{ID: texts, Input: []byte(sending)}, []string{"instance"})
	f.Fuzz(func(t *testing.T, body string) {
		once, _ := b.Read([]byte(body))
		twice, warnings := b.Read(once)
		if string(once) != string(twice) || len(warnings) > 0 {
			t.Errorf("%q is read as %q, and that as %q with %v", body, once, twice, warnings)
		}
	})
}
