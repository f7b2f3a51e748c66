package nodes

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"

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

func (setNode) Execute(_ context.Context, _ string, input map[string]any) (any, error) {
	values, ok := input["values"].(map[string]any)
	if !ok {
		return nil, misshapen("/values", "values must be an object")
	}
	return values, nil
}

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

func (switchNode) Execute(_ context.Context, _ string, input map[string]any) (any, error) {
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

// logNode is log@1: one line in the host's log.
type logNode struct{ log *slog.Logger }

func (logNode) Operation() flow.Operation {
	return flow.Operation{OperationManifest: sdk.OperationManifest{
		ID: "log@1", Kind: sdk.KindAction, Title: "Log", Summary: "Writes a line to the host's log.", Icon: "list",
		Input: schema("log.input"), Ports: []sdk.Port{{ID: flow.PortOut, Label: "Next"}}, Replay: sdk.Pure,
	}}
}

var levels = map[string]slog.Level{"debug": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError}

func (n logNode) Execute(ctx context.Context, _ string, input map[string]any) (any, error) {
	var in struct {
		Message string         `json:"message"`
		Level   string         `json:"level"`
		Data    map[string]any `json:"data"`
	}
	if err := decode(input, &in); err != nil {
		return nil, err
	}
	attrs := make([]slog.Attr, 0, len(in.Data))
	for _, k := range slices.Sorted(maps.Keys(in.Data)) {
		attrs = append(attrs, slog.Any(k, in.Data[k]))
	}
	n.log.LogAttrs(ctx, levels[in.Level], in.Message, slog.Attr{Key: "data", Value: slog.GroupValue(attrs...)})
	return map[string]any{}, nil
}
