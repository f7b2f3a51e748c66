package v1

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/tapnode/tapnode/host/internal/flow"
)

// maxEvaluate limits an expression together with the values of the run that it is tried on.
const maxEvaluate = 1 << 20

type evaluateBody struct {
	_        struct{} `additionalProperties:"false"`
	Template string   `json:"template" doc:"A text with expressions in it, as a step's field has it."`
	Data     *object  `json:"data,omitempty" doc:"What they may name: vars, nodes (outputs by step), event, error and run."`
}

type evaluated struct {
	Value   json.RawMessage `json:"value" doc:"What the step would be given; null if there is a finding."`
	Finding *fault          `json:"finding,omitempty" doc:"Why there is no value."`
}

// expressions serves the evaluation of an expression, which an input field shows while its user types.
func (a *API) expressions() {
	serve(a, route{
		method: http.MethodPost, path: "/v1/expressions/evaluate", id: "evaluateExpression", tag: "flows", summary: "What an expression gives with the values of a run",
		about:  "Evaluates with what the request brings, and keeps nothing. The answer is a 200 also when the expression does not work. What it may cost is bounded as in a run.",
		access: Access{Read, Any}, body: maxEvaluate,
		example: `{"template":"Hello ${ vars.name }","data":{"vars":{"name":"Ana"}}}`,
	}, func(_ context.Context, in *struct{ strict[evaluateBody] }) (*one[evaluated], error) {
		data := map[string]any{}
		if in.in.Data != nil {
			value, err := flow.DecodeJSON(in.in.Data.JSON)
			if err != nil {
				return nil, refuse(http.StatusBadRequest, "invalid_body", "the data cannot be read: "+err.Error(), fault{Pointer: "/data", Code: "invalid", Message: err.Error()})
			}
			data, _ = value.(map[string]any) // object is one
		}
		value, err := flow.Try(in.in.Template, data)
		if err != nil {
			return &one[evaluated]{evaluated{Finding: &fault{Pointer: "/template", Code: "expression_failed", Message: err.Error()}}}, nil //nolint:nilerr // it is the answer
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "invalid_body", "the result is not JSON: "+err.Error())
		}
		return &one[evaluated]{evaluated{Value: text}}, nil
	})
}
