package nodes

import (
	"context"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
)

// setNode is set@1: its output becomes variables of the run.
type setNode struct{}

func (setNode) Operation() flow.Operation {
	return flow.Operation{Assigns: true, OperationManifest: sdk.OperationManifest{
		ID: "set@1", Kind: sdk.KindAction, Title: "Set variables", Summary: "Gives variables of the run a new value.", Icon: "pencil",
		Input: schema("set.input"), Ports: []sdk.Port{{ID: flow.PortOut, Label: "Next"}}, Replay: sdk.Pure,
	}}
}

func (setNode) Execute(_ context.Context, input map[string]any) (any, error) {
	values, ok := input["values"].(map[string]any)
	if !ok {
		return nil, misshapen("/values", "values must be an object")
	}
	return values, nil
}
