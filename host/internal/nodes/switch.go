package nodes

import (
	"context"
	"fmt"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
)

// switchNode is switch@1: the first true case names the port.
type switchNode struct{}

func (switchNode) Operation() flow.Operation {
	return flow.Operation{Exit: "{/port}", OperationManifest: sdk.OperationManifest{
		ID: "switch@1", Kind: sdk.KindAction, Title: "Switch", Summary: "Leaves by the first case that is true.", Icon: "split",
		Input: schema("switch.input"), Output: schema("switch.output"),
		Ports:     []sdk.Port{{ID: "default", Label: "Otherwise"}},
		PortRules: []sdk.PortRule{{Each: "/cases", ID: "case:{id}", Label: "{label}"}},
		Replay:    sdk.Pure,
	}}
}

func (switchNode) Execute(_ context.Context, input map[string]any) (any, error) {
	cases, ok := input["cases"].([]any)
	if !ok {
		return nil, misshapen("/cases", "cases must be a list")
	}
	for i, c := range cases {
		m, _ := c.(map[string]any)
		id, isText := m["id"].(string)
		when, isBool := m["when"].(bool)
		if !isText || !isBool {
			return nil, misshapen(fmt.Sprintf("/cases/%d", i), "a case needs a text as id and true or false as when")
		}
		if when {
			return map[string]any{"port": "case:" + id}, nil
		}
	}
	return map[string]any{"port": "default"}, nil
}
