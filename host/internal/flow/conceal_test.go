package flow_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
)

const shownSchema = `{
	"type": "object",
	"properties": {
		"user": {"type": "string"},
		"pin": {"type": "integer", "writeOnly": true},
		"password": {"type": "string", "format": "password"},
		"account": {"$ref": "#/$defs/account"},
		"keys": {"type": "array", "items": {"oneOf": [{"type": "string", "writeOnly": true}, {"type": "object"}]}},
		"tree": {"$ref": "#/$defs/tree"},
		"loop": {"$ref": "#/$defs/loop"}
	},
	"patternProperties": {"^x-": {"writeOnly": true}},
	"if": {"required": ["user"]}, "then": {"properties": {"secretOfUser": {"writeOnly": true}}},
	"$defs": {
		"account": {"allOf": [{"properties": {"name": {}}}, {"properties": {"name": {}, "code": {"writeOnly": true}}}]},
		"tree": {"properties": {"leaf": {"writeOnly": true}, "left": {"$ref": "#/$defs/tree"}, "right": {"$ref": "#/$defs/tree"}}},
		"loop": {"$ref": "#/$defs/loop"}
	}
}`

// Values that a schema marks as secret are concealed for any node, and the input is not changed.
func TestConcealBySchema(t *testing.T) {
	cat, err := flow.NewCatalogue(flow.Operation{OperationManifest: sdk.OperationManifest{ID: "x@1", Kind: sdk.KindAction, Input: []byte(shownSchema), Ports: []sdk.Port{{ID: flow.PortOut}}}})
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := flow.Load([]byte(`{"apiVersion":"flow/v1","kind":"Flow","metadata":{"id":"f"},"vars":{"properties":{"token":{"type":"string","writeOnly":true},"name":{"type":"string"}}},
		"triggers":[{"id":"t","type":"manual","to":"a"}],"nodes":[{"id":"a","type":"x@1"}]}`), cat)
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		`{"user":"ana","pin":1234,"password":"s3cret"}`:                            `{"user":"ana","pin":"(concealed)","password":"(concealed)"}`,
		`{"pin":null,"account":{"name":"a","code":{"deep":1}}}`:                    `{"pin":null,"account":{"name":"a","code":"(concealed)"}}`,
		`{"keys":["a","b"],"x-any":1,"secretOfUser":2,"other":[1,{"pin":3}]}`:      `{"keys":["(concealed)","(concealed)"],"x-any":"(concealed)","secretOfUser":"(concealed)","other":[1,{"pin":3}]}`,
		`{"tree":{"left":{"right":{"leaf":1,"x":2}},"leaf":"a"},"loop":{"pin":1}}`: `{"tree":{"left":{"right":{"leaf":"(concealed)","x":2}},"leaf":"(concealed)"},"loop":{"pin":1}}`,
		`"no object"`: `"no object"`,
		`null`:        `null`,
	} {
		v, err := flow.DecodeJSON([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		w, _ := flow.DecodeJSON([]byte(want))
		if diff := cmp.Diff(w, p.Conceal("a", v)); diff != "" {
			t.Errorf("%s, -want +got:\n%s", in, diff)
		}
		if again, _ := flow.DecodeJSON([]byte(in)); !cmp.Equal(again, v) {
			t.Errorf("%s was changed to %v", in, v)
		}
	}
	if got := fmt.Sprint(p.ConcealVars(map[string]any{"token": "s3cret", "name": "ana"})); got != "map[name:ana token:(concealed)]" {
		t.Errorf("variables: %s", got)
	}
}

// Without a schema, secrets are recognized by names and in URLs.
func TestConcealByName(t *testing.T) {
	for in, secret := range map[string]bool{
		`{"headers":{"Authorization":"Bearer s3cret"}}`:             true,
		`{"Headers":{"X-API-Key":"s3cret"}}`:                        true,
		`{"headers":{"set-cookie":"sid=s3cret"}}`:                   true,
		`{"headers":{"Cookie":["a=s3cret"]}}`:                       true,
		`{"query":{"access_token":"s3cret"}}`:                       true,
		`{"query":{"key":"s3cret"}}`:                                true,
		`{"url":"https://ana:s3cret@a.example/x"}`:                  true,
		`{"url":"https://ana:p@s3cret@a.example/x"}`:                true,
		`{"any":["see https://s3cret@a.example and more"]}`:         true,
		`{"dsn":"postgres://u:s3cret@db/x"}`:                        true,
		`{"url":"https://a.example/?X-Amz-Signature=s3cret&b=1"}`:   true,
		`{"url":"https://a.example/?a=1&api_key=s3cret#top"}`:       true,
		`{"headers":{"Author":"s3cret","Accept":"s3cret"}}`:         false,
		`{"query":{"q":"s3cret","monkey":"s3cret"}}`:                false,
		`{"cookie":"s3cret, with chocolate"}`:                       false,
		`{"url":"https://a.example/s3cret?q=s3cret&monkey=s3cret"}`: false,
		`{"text":"write to s3cret@a.example"}`:                      false,
	} {
		v, err := flow.DecodeJSON([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(flow.Conceal(v))
		if err != nil {
			t.Fatal(err)
		}
		if shown := strings.Contains(string(got), "s3cret"); shown == secret || secret != strings.Contains(string(got), flow.Concealed) {
			t.Errorf("%s is shown as %s", in, got)
		}
	}
}

// FuzzHinted: hinted rejects no name that the pattern matches.
func FuzzHinted(f *testing.F) {
	for _, name := range []string{"Authorization", "auth", "X-Auth", "auth_by", "COOKIE", "To\u212aen", "\u017fecret", "passwd", "PWD", "api-_key", "a_key", "Key", "x-signature", "sig",
		"credentials", "PHPSESSION", "content-type", "monkey", "assign"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if flow.SecretNames.MatchString(name) && !flow.Hinted(name) {
			t.Errorf("%q is a secret, and nothing hints at it", name)
		}
	})
}
