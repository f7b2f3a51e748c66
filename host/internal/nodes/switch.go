package nodes

import (
	"context"

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
	var in struct {
		Cases []struct {
			ID   string `json:"id"`
			When bool   `json:"when"`
		} `json:"cases"`
	}
	if err := decode(input, &in); err != nil {
		return nil, err
	}
	for _, c := range in.Cases {
		if c.When {
			return map[string]any{"port": "case:" + c.ID}, nil
		}
	}
	return map[string]any{"port": "default"}, nil
}
