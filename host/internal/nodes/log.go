package nodes

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
)

// logNode is log@1: one line in the host's log.
type logNode struct{ log *slog.Logger }

func (logNode) Operation() flow.Operation {
	return flow.Operation{OperationManifest: sdk.OperationManifest{
		ID: "log@1", Kind: sdk.KindAction, Title: "Log", Summary: "Writes a line to the host's log.", Icon: "list",
		Input: schema("log.input"), Ports: []sdk.Port{{ID: flow.PortOut, Label: "Next"}}, Replay: sdk.Pure,
	}}
}

var levels = map[string]slog.Level{"debug": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError}

func (n logNode) Execute(ctx context.Context, input map[string]any) (any, error) {
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
