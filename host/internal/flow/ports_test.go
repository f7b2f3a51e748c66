package flow

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/sdk"
)

func TestPorts(t *testing.T) {
	cat, err := NewCatalogue(Operation{OperationManifest: sdk.OperationManifest{
		ID: "menu@1", Kind: sdk.KindAction,
		Input: []byte(`{"properties": {"buttons": {"items": {"$ref": "#/$defs/b"}}},
			"$defs": {"b": {"properties": {"type": {"default": "REPLY"}, "n": {"default": 7}}}}}`),
		Ports:     []sdk.Port{{ID: "sent"}},
		PortRules: []sdk.PortRule{{Each: "/buttons", Where: map[string]string{"type": "REPLY"}, ID: "reply:{id}", Label: "{title} {n} {/id}"}},
		Events:    []sdk.EventType{{Type: "clicked", Port: "reply:{/button/id}"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	button := func(kv ...any) any {
		m := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i].(string)] = kv[i+1]
		}
		return m
	}
	for name, c := range map[string]struct {
		buttons any
		offered string
		open    bool
	}{
		"default type":           {[]any{button("id", "a"), button("id", "b", "type", "URL"), button("id", "c", "type", "REPLY")}, "reply:a reply:c", false},
		"null and empty type":    {[]any{button("id", "a", "type", nil), button("id", "b", "type", "")}, "reply:a reply:b", false},
		"a number as id":         {[]any{button("id", 12)}, "reply:12", false},
		"the same id twice":      {[]any{button("id", "a"), button("id", "a")}, "reply:a", false},
		"id known in a run only": {[]any{button("id", unknown{}), button("id", "b")}, "reply:b", true},
		"type known in a run":    {[]any{button("id", "a", "type", unknown{})}, "", true},
		"all known in a run":     {unknown{}, "", true},
		"not a list":             {"x", "", false},
		"not objects":            {[]any{"x", nil, 1}, "", false},
		"absent":                 {nil, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			ports, offered, open := cat.ops["menu@1"].ports(map[string]any{"buttons": c.buttons})
			if got := strings.Join(offered, " "); got != c.offered || open != c.open {
				t.Errorf("offered %q, open %v; want %q, %v", got, open, c.offered, c.open)
			}
			var ids []string
			for _, p := range ports {
				ids = append(ids, p.ID)
			}
			want := append([]string{"sent"}, append(offered, "reply:*", "timeout", "error")...)
			if diff := cmp.Diff(want, ids); diff != "" {
				t.Errorf("ports (-want +got):\n%s", diff)
			}
		})
	}
	ports, _, _ := cat.ops["menu@1"].ports(map[string]any{"buttons": []any{button("id", "a", "title", "A")}})
	if got := ports[1].Label; got != "A 7 a" {
		t.Errorf("label %q, want A 7 a", got)
	}
}

// The operations of a catalogue have different ids, and each schema must be self-contained.
func TestNewCatalogue(t *testing.T) {
	op := func(id, schema string) Operation {
		return Operation{OperationManifest: sdk.OperationManifest{ID: id, Kind: sdk.KindAction, Input: []byte(schema)}}
	}
	for name, c := range map[string]struct {
		ops  []Operation
		want string
	}{
		"twice":                 {[]Operation{op("a@1", `{}`), op("a@1", `{}`)}, "offered twice"},
		"not JSON":              {[]Operation{op("a@1", `{`)}, "schema of a@1"},
		"not a schema":          {[]Operation{op("a@1", `{"type": 1}`)}, "schema of a@1"},
		"refers to the network": {[]Operation{op("a@1", `{"$ref": "http://example.com/x"}`)}, "only refer to itself"},
		"refers to a file":      {[]Operation{op("a@1", `{"$ref": "file:///etc/passwd"}`)}, "only refer to itself"},
		"lookahead":             {[]Operation{op("a@1", `{"pattern": "(?=a)"}`)}, "schema of a@1"},
	} {
		if _, err := NewCatalogue(c.ops...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something with %q", name, err, c.want)
		}
	}
}
