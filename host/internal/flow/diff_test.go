package flow_test

import (
	"os"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
	"github.com/tapnode/tapnode/sdk"
)

// TestDiff: each kind of change is reported once, in the words of the form; order and layout are
// ignored.
func TestDiff(t *testing.T) {
	src, err := os.ReadFile("../../../examples/flows/menu.yaml")
	if err != nil {
		t.Fatal(err)
	}
	older := string(src)
	for _, c := range []struct {
		name  string
		edits []string // old, new, old, new …
		want  []string
	}{
		{"nothing", []string{"ask: {x: 0, y: 160}", "ask: {x: 9, y: 9}", "# A menu", "# The menu"}, nil},
		{"order", []string{"        - {id: sales, displayText: Sales}\n        - {id: support, displayText: Support}\n", "        - {id: support, displayText: Support}\n        - {id: sales, displayText: Sales}\n"}, nil},
		{"a button is gone, with its edge", []string{"        - {id: billing, displayText: Billing}\n", "", "  - {from: \"ask.reply:billing\", to: billing}\n", ""}, []string{
			`removed /nodes/0/with/buttons/2 node ask: Buttons: billing was removed; it was {"displayText":"Billing","id":"billing"}`,
			`removed /edges/2 edge ask.reply:billing was removed; it led to billing`}},
		{"a text", []string{"We answer within an hour", "We answer soon"}, []string{
			`changed /nodes/0/with/footerText node ask: Footer was "We answer within an hour", is "We answer soon"`}},
		{"a label, and a new button", []string{"{id: sales, displayText: Sales}", "{id: sales, displayText: Buy}\n        - {id: more, displayText: More}", "        - {id: support, displayText: Support}\n", ""}, []string{
			`changed /nodes/0/with/buttons/0/displayText node ask: Buttons: sales: Label was "Sales", is "Buy"`,
			`added /nodes/0/with/buttons/1 node ask: Buttons: more was added: {"displayText":"More","id":"more"}`,
			`removed /nodes/0/with/buttons/1 node ask: Buttons: support was removed; it was {"displayText":"Support","id":"support"}`}},
		{"a wait, a node, a trigger, an edge, a variable", []string{"wait: {timeout: 3d, late: restart}", "wait: {timeout: 5d, late: restart}",
			"  - id: silent\n", "  - {id: extra, type: log@1, with: {message: x}}\n  - id: silent\n", "{id: start, type: manual, to: ask}", "{id: start, type: manual, to: sales}",
			"{from: ask.text, to: words}", "{from: ask.text, to: extra}", "default: there}", "default: friend}"}, []string{
			`changed /vars/properties/name/default variables: properties: name: default was "there", is "friend"`,
			`changed /triggers/0/to trigger start: Goes to was "ask", is "sales"`,
			`changed /nodes/0/wait/timeout node ask: Wait: Timeout was "3d", is "5d"`,
			`added /nodes/6 node extra was added: log@1`,
			`changed /edges/3 edge ask.text led to words, leads to extra`}},
	} {
		newer := strings.NewReplacer(c.edits...).Replace(older)
		changes, err := flow.Diff(flowtest.Catalogue(t), []byte(older), []byte(newer))
		if err != nil {
			t.Fatal(c.name, err)
		}
		var got []string
		for _, x := range changes {
			got = append(got, x.What+" "+x.Pointer+" "+x.Text)
		}
		if a, b := strings.Join(got, "\n"), strings.Join(c.want, "\n"); a != b {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, a, b)
		}
	}
	if _, err := flow.Diff(flowtest.Catalogue(t), []byte("x"), []byte(older)); err == nil || !strings.Contains(err.Error(), "the older version") {
		t.Errorf("of no flow: %v", err)
	}
}

// TestDiffLeavesOutSecrets: a secret is not shown by itself or as a part of something else, nor after
// its node has become one whose form does not know it.
func TestDiffLeavesOutSecrets(t *testing.T) {
	op := func(id, input string) flow.Operation {
		return flow.Operation{OperationManifest: sdk.OperationManifest{ID: id, Kind: sdk.KindAction, Input: []byte(input), Ports: []sdk.Port{{ID: flow.PortOut}}}}
	}
	catalogue, err := flow.NewCatalogue(op("x@1", shownSchema), op("y@1", `{"type": "object"}`))
	if err != nil {
		t.Fatal(err)
	}
	file := func(kind, with string) []byte {
		return []byte(`{"apiVersion":"flow/v1","kind":"Flow","metadata":{"id":"f"},"triggers":[{"id":"t","type":"manual","to":"a"}],
			"nodes":[{"id":"a","type":"` + kind + `","with":` + with + `}]}`)
	}
	for _, c := range []struct{ kind, with, toKind, to, want string }{
		{"x@1", `{"pin": 1234}`, "x@1", `{"pin": 5678}`, "pin was changed"},
		{"x@1", `{}`, "x@1", `{"account": {"name": "a", "code": "s3cret"}}`, `account was added: {"code":"(concealed)","name":"a"}`},
		{"x@1", `{"account": "a"}`, "x@1", `{"account": {"code": "s3cret"}}`, `account was "a", is {"code":"(concealed)"}`},
		{"x@1", `{"pin": 1234, "user": "ana"}`, "y@1", `{"user": "eva"}`, "pin was removed"},
		{"x@1", `{"pin": 1234}`, "y@1", `{"pin": 5678}`, "pin was changed"},
		{"y@1", `{"pin": 1234}`, "x@1", `{"pin": 5678}`, "pin was changed"},
		{"y@1", `{"headers": {"Authorization": "Bearer s3cret"}}`, "y@1", `{"headers": {"Authorization": "Bearer 5678"}}`, "Authorization was changed"},
		{"y@1", `{"headers": {"Authorization": "Bearer s3cret"}}`, "y@1", `{}`, `headers was removed; it was {"Authorization":"(concealed)"}`},
	} {
		changes, err := flow.Diff(catalogue, file(c.kind, c.with), file(c.toKind, c.to))
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, x := range changes {
			told = append(told, x.Text)
		}
		if all := strings.Join(told, "\n"); !strings.Contains(all, c.want) || strings.Contains(all, "s3cret") || strings.Contains(all, "1234") || strings.Contains(all, "5678") {
			t.Errorf("%s %s to %s %s:\n%s\nwant %s", c.kind, c.with, c.toKind, c.to, all, c.want)
		}
	}
}
