package flow

import (
	"reflect"
	"testing"

	"github.com/tapnode/tapnode/sdk"
)

func TestOutline(t *testing.T) {
	const file = `
apiVersion: flow/v1
kind: Flow
metadata: {id: menu}
vars: {type: object, properties: {shop: {type: string, default: demo}, none: {type: string}}}
triggers:
  - {id: start, type: manual, to: ask}
  - {id: word, type: x.heard@1, with: {instance: shop}, to: ask}
nodes:
  - {id: ask, name: Ask, type: x.menu@1, with: {instance: "${ vars.shop }", buttons: [{id: yes, text: "Yes, please"}, {id: who, text: "${ vars.none }"}, {id: "${ vars.none }", text: Computed}]}}
  - {id: open, type: x.menu@1, with: {instance: "${ vars.none }"}}
  - {id: odd, type: x.menu@1, with: {instance: [1]}}
  - 7
  - {name: without an id}
`
	c, err := NewCatalogue(Operation{OperationManifest: sdk.OperationManifest{
		ID: "x.menu@1", Kind: sdk.KindAction, Title: "Menu", Replay: sdk.Keyed, Input: sdk.JSON(`{"type":"object"}`), Ports: []sdk.Port{{ID: "sent"}},
		PortRules: []sdk.PortRule{{Each: "/buttons", ID: "reply:{id}", Label: "{text}"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []Outlined{
		{ID: "start", Type: "manual", Trigger: true},
		{ID: "word", Type: "x.heard@1", Trigger: true, Instance: "shop"},
		{ID: "ask", Name: "Ask", Type: "x.menu@1", Instance: "demo", Choices: []sdk.Port{{ID: "reply:yes", Label: "Yes, please"}}},
		{ID: "open", Type: "x.menu@1"},
		{ID: "odd", Type: "x.menu@1"},
	}
	if got := c.Outline([]byte(file)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	for _, none := range []string{"", "a: [", "7", "nodes: 7"} {
		if got := c.Outline([]byte(none)); got != nil {
			t.Errorf("%q: %+v", none, got)
		}
	}
}
