package v1

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

const (
	// maxInput limits a body so that its input, with the envelope, fits into one message of the contract.
	maxInput = sdk.MaxMessage - 64<<10
	// callTime limits a call: the longest delay a caller can ask for, plus the send.
	callTime = 6 * time.Minute
)

// Calls makes calls of the operations of the nodes.
type Calls interface {
	// Offers says whether a node has the operation.
	Offers(operation string) bool
	// Execute makes a call. progress, which may be nil, is called only before Execute returns. The error
	// is a *sdk.Problem, or any other error when the outcome of the call is unknown.
	Execute(ctx context.Context, r client.Request, progress func(client.Progress)) (client.Result, error)
	// Validate returns what is wrong with an input. It has no effect.
	Validate(ctx context.Context, operation string, input []byte) ([]sdk.Violation, []sdk.Warning, error)
}

type executeIn struct {
	Operation string `path:"operation" example:"whatsapp.sendButtons@1" doc:"Its id, such as whatsapp.sendButtons@1."`
	Key       string `header:"Idempotency-Key" hidden:"true"`
	Accept    string `header:"Accept" doc:"text/event-stream to hear how the call goes."`
	strict[inputBody]
}

// result is the outcome of a successful call.
type result struct {
	Output   json.RawMessage `json:"output" doc:"As the operation's outputSchema says."`
	Warnings []sdk.Warning   `json:"warnings,omitempty" doc:"What works and may still surprise."`
	Replayed bool            `json:"replayed,omitempty" doc:"It is the outcome of an earlier call with the same key."`
}

func resultOf(r client.Result) result {
	return result{json.RawMessage(r.Output), r.Warnings, r.Replayed}
}

// execution serves calls of operations.
func (a *API) execution(c *flow.Catalogue, calls Calls) {
	execute := route{
		method: http.MethodPost, path: "/v1/operations/{operation}/execute", id: "execute", tag: "operations", summary: "Call an operation",
		about: "As JSON the answer is the outcome. With Accept: text/event-stream it is the call as it goes: events named progress, then one named result or problem, " +
			"each with the same members as otherwise. A problem says in effect whether anything happened.",
		access: Access{Send, Any}, body: maxInput, example: exampleInput, refusals: callRefusals,
		acts: func(r *http.Request) bool { // a KEYED operation keeps its own outcomes, and a PURE one has no effect
			op, ok := c.Operation(r.PathValue("operation"))
			return ok && op.Replay != sdk.Keyed && op.Replay != sdk.Pure
		},
		change: describeOutcome(a),
	}
	serve(a, execute, func(ctx context.Context, in *executeIn) (*streaming, error) {
		call, err := a.called(ctx, c, calls, in.Operation, in.in)
		if err != nil {
			return nil, err
		}
		call.Key = a.key(ctx, in.Key)
		return a.outcome(ctx, calls, call, wantsEvents(in.Accept), func(r client.Result) any { return resultOf(r) })
	})
	serve(a, route{
		method: http.MethodPost, path: "/v1/operations/{operation}/preview", id: "preview", tag: "operations", summary: "What a call would do",
		about:  "A dry run: the output is the preview, and nothing happens.",
		access: Access{Send, Any}, body: maxInput, example: exampleInput, refusals: callRefusals,
	}, func(ctx context.Context, in *inputIn) (*one[result], error) {
		call, err := a.called(ctx, c, calls, in.Operation, in.in)
		if err != nil {
			return nil, err
		}
		call.DryRun = true
		ctx, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		r, err := calls.Execute(ctx, call, nil)
		if err != nil {
			return nil, a.failed(err)
		}
		return &one[result]{resultOf(r)}, nil
	})
}

var callRefusals = []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable}

// called returns the call that a request asks for, or a refusal if the caller may not make it.
func (a *API) called(ctx context.Context, c *flow.Catalogue, calls Calls, id string, body inputBody) (client.Request, error) {
	op, ok := c.Operation(id)
	if !ok || !calls.Offers(id) || op.Kind == sdk.KindTrigger {
		return client.Request{}, unknown(id, c)
	}
	caller := a.caller(ctx)
	if op.Kind == sdk.KindOperation && !caller.can(Manage) {
		return client.Request{}, refuse(http.StatusForbidden, "forbidden", "this operation needs a token that may manage")
	}
	if op.Kind == sdk.KindOperation && a.opt.Note != nil {
		a.opt.Note(ctx, "an operation that changes something")
	}
	if caller.Instances != nil {
		if name := instanceOf(body.input()); name == "" || !caller.may(name) || op.Kind == sdk.KindOperation {
			return client.Request{}, refuse(http.StatusForbidden, "forbidden", "the token is not one for this instance, or the operation needs one for all instances",
				fault{Pointer: "/input/instance", Code: "forbidden", Message: "it must be an instance of the token"})
		}
	}
	return client.Request{Operation: id, Input: body.input()}, nil
}

// instanceOf returns the instance that an input is about. The member's name is case-sensitive, as it is
// for the nodes.
func instanceOf(input []byte) (name string) {
	var members map[string]json.RawMessage // a struct would match the name in any case
	if json.Unmarshal(input, &members) != nil || json.Unmarshal(members["instance"], &name) != nil {
		return ""
	}
	return name
}

// outcome makes a call and answers with the result as show converts it; with events, it answers with a
// stream of the call's progress that ends in the result.
func (a *API) outcome(ctx context.Context, calls Calls, call client.Request, events bool, show func(client.Result) any) (*streaming, error) {
	if !events {
		ctx, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		r, err := calls.Execute(ctx, call, nil)
		if err != nil {
			return nil, a.failed(err)
		}
		return &streaming{func(hc huma.Context) {
			if r.Replayed {
				hc.SetHeader("Idempotent-Replayed", "true")
			}
			hc.SetHeader("Content-Type", jsonType)
			_ = a.huma.Marshal(hc.BodyWriter(), jsonType, show(r)) // fails only when the client is gone
		}}, nil
	}
	return a.stream(false, func(ctx context.Context, s *stream) {
		ctx, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		r, err := calls.Execute(ctx, call, func(p client.Progress) { s.send("progress", "", p) })
		if err != nil {
			s.send("problem", "", a.failed(err))
			return
		}
		s.send("result", "", show(r))
	}), nil
}

// failed turns the error of a call into a problem. Its pointers are into the request's body.
func (a *API) failed(err error) *problem {
	own, ok := errors.AsType[*sdk.Problem](err)
	if !ok {
		lost := refuse(http.StatusServiceUnavailable, "node_lost", "the node did not answer, and whether anything happened is unknown: repeat with the same Idempotency-Key").with("Retry-After", "1")
		lost.Effect, lost.Fault = sdk.EffectUnknown, sdk.FaultNode
		if t, ok := errors.AsType[*client.TransportError](err); ok {
			lost.Effect = t.Effect()
		}
		a.logger.Debug("a call was lost", "err", err)
		return lost
	}
	status := own.HTTPStatus
	if status < 400 || status > 599 {
		status = http.StatusInternalServerError
	}
	p := refuse(status, own.Code, own.Message)
	p.Effect, p.Fault, p.Retryable = own.Effect, own.Fault, own.Retryable
	if own.RetryAfter > 0 {
		p = p.with("Retry-After", strconv.Itoa(int(math.Ceil(own.RetryAfter.Seconds()))))
	}
	for _, v := range own.Violations {
		p.Errors = append(p.Errors, fault{Pointer: "/input" + v.Pointer, Code: v.Code, Message: v.Message, Suggestion: v.Suggestion})
	}
	if p.Detail == "" {
		p.Detail = fmt.Sprintf("the call failed: %s", p.Code)
	}
	return p
}

// describeOutcome describes the answers of execute.
func describeOutcome(a *API) func(*huma.Operation) {
	return func(op *huma.Operation) {
		schema := a.schemaOf(result{})
		op.Responses["200"] = &huma.Response{Description: "The outcome", Content: map[string]*huma.MediaType{
			jsonType: {Schema: schema}, eventStream: {Schema: &huma.Schema{Type: "string"}},
		}}
	}
}
