package nodes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/nodes/jqguard"
	"github.com/tapnode/tapnode/sdk"
)

// Bounds of one transform. The size and the budgets of jqguard hold for every program; the time
// limits what they let through on a slow machine.
const (
	maxProgram    = 4096 // bytes
	transformTime = time.Second
)

// transformNode is transform@1.
type transformNode struct{}

func (transformNode) Operation() flow.Operation {
	return flow.Operation{OperationManifest: sdk.OperationManifest{
		ID: "transform@1", Kind: sdk.KindAction, Title: "Transform", Summary: "Makes another value of a value, with a jq program.", Icon: "shuffle",
		Input: schema("transform.input"), Output: schema("transform.output"), Ports: []sdk.Port{{ID: flow.PortOut, Label: "Next"}}, Replay: sdk.Pure,
	}, Constant: []string{"jq"}, Check: func(constants map[string]any) []sdk.Violation {
		src, given := constants["jq"].(string)
		if !given { // the schema reports it
			return nil
		}
		if _, err := jqguard.Compile(src); err != nil {
			return []sdk.Violation{{Pointer: "/jq", Code: "jq", Message: err.Error()}}
		}
		return nil
	}}
}

func (transformNode) Execute(ctx context.Context, _ string, input map[string]any) (any, error) {
	src, ok := input["jq"].(string)
	if !ok || len(src) > maxProgram {
		return nil, misshapen("/jq", fmt.Sprintf("jq must be a text of at most %d bytes", maxProgram))
	}
	program, err := jqguard.Compile(src)
	if err != nil {
		return nil, misshapen("/jq", err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, transformTime)
	defer cancel()
	value, err := program.Run(ctx, input["input"])
	if err != nil {
		return nil, &sdk.Problem{Code: code(err), HTTPStatus: http.StatusUnprocessableEntity, Effect: sdk.EffectNone, Fault: sdk.FaultCaller, Message: "jq: " + short(err.Error())}
	}
	return map[string]any{"value": value}, nil
}

func code(err error) string {
	if errors.Is(err, jqguard.ErrCost) || errors.Is(err, context.DeadlineExceeded) {
		return "jq_cost"
	}
	return "jq_failed"
}

// short truncates an error, which might otherwise carry a whole value.
func short(message string) string {
	const most = 300
	if len(message) <= most {
		return message
	}
	return fmt.Sprintf("%.*s …", most, message)
}
