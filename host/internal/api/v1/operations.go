package v1

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
)

type operationIn struct {
	Operation string `path:"operation" example:"whatsapp.sendButtons@1" doc:"Its id, such as whatsapp.sendButtons@1."`
}

type summary struct {
	ID       string     `json:"id"`
	Kind     sdk.Kind   `json:"kind" enum:"ACTION,TRIGGER,OPERATION"`
	Title    string     `json:"title,omitempty"`
	Summary  string     `json:"summary,omitempty"`
	Icon     string     `json:"icon,omitempty"`
	Replay   sdk.Replay `json:"replay,omitempty" enum:"PURE,KEYED,UNSAFE" doc:"Who may repeat a call whose outcome is unknown: anyone, whoever has its key, nobody."`
	Callable bool       `json:"callable" doc:"A node offers it, and it can be called here; the others are for flows only."`
}

type operationList struct {
	Operations []summary `json:"operations" nullable:"false"`
}

// operation describes an operation completely: enough to draw its form and its ports.
type operation struct {
	summary
	Input     json.RawMessage `json:"inputSchema,omitempty" doc:"JSON Schema 2020-12 of the input; of a trigger: of its filter."`
	Output    json.RawMessage `json:"outputSchema,omitempty"`
	Ports     []sdk.Port      `json:"ports,omitempty" doc:"Those that it always has."`
	PortRules []sdk.PortRule  `json:"portRules,omitempty" doc:"How others follow from the input; POST to …/ports applies them."`
	Events    []sdk.EventType `json:"events,omitempty"`
}

type inputIn struct {
	Operation string `path:"operation" example:"whatsapp.sendButtons@1" doc:"Its id, such as whatsapp.sendButtons@1."`
	strict[inputBody]
}

type inputBody struct {
	_     struct{} `additionalProperties:"false"`
	Input *object  `json:"input,omitempty" doc:"As the operation's inputSchema says; left out, {}."`
}

// input returns the input, or {} if the body has none.
func (b inputBody) input() []byte {
	if b.Input == nil {
		return []byte("{}")
	}
	return b.Input.JSON
}

type ports struct {
	Ports   []sdk.Port `json:"ports" nullable:"false" doc:"All, in drawing order."`
	Offered []string   `json:"offered" nullable:"false" doc:"Those that an answer chooses from."`
	Open    bool       `json:"open" doc:"There are expressions in what ports follow from: a run may have others, too."`
}

type validity struct {
	Valid      bool            `json:"valid"`
	Violations []sdk.Violation `json:"violations" nullable:"false" doc:"Pointers lead into the input."`
	Warnings   []sdk.Warning   `json:"warnings" nullable:"false" doc:"What works and may still surprise."`
}

// operations serves what nodes and flows can do.
func (a *API) operations(c *flow.Catalogue, calls Calls) {
	serve(a, route{
		method: http.MethodGet, path: "/v1/operations", id: "listOperations", tag: "operations", summary: "What nodes and flows can do", access: Access{Read, Any},
	}, func(context.Context, *struct{}) (*one[operationList], error) {
		out := operationList{Operations: []summary{}}
		for _, op := range c.Operations() {
			out.Operations = append(out.Operations, summed(op, calls))
		}
		return &one[operationList]{out}, nil
	})
	serve(a, route{
		method: http.MethodGet, path: "/v1/operations/{operation}", id: "getOperation", tag: "operations", summary: "One operation with its schemas, ports and port rules",
		access: Access{Read, Any}, refusals: []int{http.StatusNotFound},
	}, func(_ context.Context, in *operationIn) (*one[operation], error) {
		op, ok := c.Operation(in.Operation)
		if !ok {
			return nil, unknown(in.Operation, c)
		}
		return &one[operation]{operation{summed(op, calls), raw(op.Input), raw(op.Output), op.Ports, op.PortRules, op.Events}}, nil
	})
	serve(a, route{
		method: http.MethodPost, path: "/v1/operations/{operation}/ports", id: "computePorts", tag: "operations", summary: "The ports that a node of a flow has with an input",
		about:  "The input may have expressions in it, as in a flow, and need not be complete.",
		access: Access{Read, Any}, body: maxInput, example: exampleInput, refusals: []int{http.StatusNotFound},
	}, func(_ context.Context, in *inputIn) (*one[ports], error) {
		value, err := flow.DecodeJSON(in.in.input())
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "invalid_body", "the input cannot be read: "+err.Error(), fault{Pointer: "/input", Code: "invalid", Message: err.Error()})
		}
		all, offered, open, ok := c.Ports(in.Operation, value)
		if !ok {
			return nil, unknown(in.Operation, c)
		}
		return &one[ports]{ports{orNone(all), orNone(offered), open}}, nil
	})
	serve(a, route{
		method: http.MethodPost, path: "/v1/operations/{operation}/validate", id: "validateInput", tag: "operations", summary: "Everything that is wrong with an input",
		about:  "Asks the node, and has no effect. The answer is a 200 also when the input is not valid.",
		access: Access{Read, Any}, body: maxInput, example: exampleInput, refusals: []int{http.StatusNotFound, http.StatusServiceUnavailable},
	}, func(ctx context.Context, in *inputIn) (*one[validity], error) {
		if !calls.Offers(in.Operation) {
			return nil, unknown(in.Operation, c)
		}
		violations, warnings, err := calls.Validate(ctx, in.Operation, in.in.input())
		if err != nil {
			return nil, a.failed(err)
		}
		return &one[validity]{validity{len(violations) == 0, orNone(violations), orNone(warnings)}}, nil
	})
}

// exampleInput is a body for whatsapp.sendButtons@1.
const exampleInput = `{"input":{"instance":"demo","number":"5511999990001","contentText":"How can we help?","buttons":[{"id":"sales","displayText":"Sales"},{"id":"support","displayText":"Support"}]}}`

func summed(op flow.Operation, calls Calls) summary {
	return summary{op.ID, op.Kind, op.Title, op.Summary, op.Icon, op.Replay, calls.Offers(op.ID) && op.Kind != sdk.KindTrigger}
}

func raw(doc sdk.JSON) json.RawMessage { return json.RawMessage(doc) }

// unknown refuses an unknown operation and suggests similar ones.
func unknown(id string, c *flow.Catalogue) error {
	var known []string
	for _, op := range c.Operations() {
		known = append(known, op.ID)
	}
	return refuse(http.StatusNotFound, "unknown_operation", fmt.Sprintf("there is no operation %.80q here: %s", id, flow.DidYouMean(id, known)))
}
