package flow

import (
	"reflect"
	"testing"
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
  - {id: ask, name: Ask, type: x.menu@1, with: {instance: "${ vars.shop }"}}
  - {id: open, type: x.menu@1, with: {instance: "${ vars.none }"}}
  - {id: odd, type: x.menu@1, with: {instance: [1]}}
  - 7
  - {name: without an id}
`
	want := []Outlined{
		{ID: "start", Type: "manual", Trigger: true},
		{ID: "word", Type: "x.heard@1", Trigger: true, Instance: "shop"},
		{ID: "ask", Name: "Ask", Type: "x.menu@1", Instance: "demo"},
		{ID: "open", Type: "x.menu@1"},
		{ID: "odd", Type: "x.menu@1"},
	}
	if got := Outline([]byte(file)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	for _, none := range []string{"", "a: [", "7", "nodes: 7"} {
		if got := Outline([]byte(none)); got != nil {
			t.Errorf("%q: %+v", none, got)
		}
	}
}
