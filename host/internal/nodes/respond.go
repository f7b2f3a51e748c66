package nodes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
)

// respondNode is respond@1. Its output is the response that the server of the webhook sends.
type respondNode struct{}

func (respondNode) Operation() flow.Operation {
	return flow.Operation{OperationManifest: sdk.OperationManifest{
		ID: "respond@1", Kind: sdk.KindAction, Title: "Respond", Summary: "Answers the call of the webhook that began the run.", Icon: "reply",
		Input: schema("respond.input"), Output: schema("respond.output"), Ports: []sdk.Port{{ID: flow.PortOut, Label: "Next"}}, Replay: sdk.Pure,
	}}
}

// ownHeaders matches headers that the server itself sets, or that would let a flow affect other
// pages of the host.
var ownHeaders = regexp.MustCompile(`(?i)^(connection|content-length|transfer-encoding|upgrade|trailer|te|keep-alive|proxy-.*|set-cookie|date|server|access-control-.*|content-security-policy|strict-transport-security)$`)

func (respondNode) Execute(_ context.Context, _ string, input map[string]any) (any, error) {
	in := struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
	}{Status: http.StatusOK}
	rest := maps.Clone(input)
	delete(rest, "body") // it is sent as it is
	if len(rest) > 0 {
		if err := decode(rest, &in); err != nil {
			return nil, err
		}
	}
	if in.Status < http.StatusOK || in.Status > 599 {
		return nil, misshapen("/status", "the status must be between 200 and 599")
	}
	headers := map[string]any{}
	content := input["body"]
	body, isText := content.(string)
	switch {
	case isText:
		headers["Content-Type"] = "text/plain; charset=utf-8"
	case content != nil:
		raw, err := json.Marshal(content)
		if err != nil {
			return nil, misshapen("/body", "the body is not a JSON value")
		}
		headers["Content-Type"], body = "application/json", string(raw)
	}
	if len(body) > maxBody {
		return nil, sdk.Invalid(sdk.Violation{Pointer: "/body", Code: "too_large", Message: fmt.Sprintf("the body has more than %d bytes", maxBody)})
	}
	for name, value := range in.Headers {
		if ownHeaders.MatchString(name) || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, misshapen("/headers", fmt.Sprintf("the header %.64q cannot be set", name))
		}
		headers[http.CanonicalHeaderKey(strings.TrimSpace(name))] = value
	}
	return map[string]any{"status": in.Status, "headers": headers, "body": body}, nil
}

// failNode is fail@1.
type failNode struct{}

func (failNode) Operation() flow.Operation {
	return flow.Operation{Exit: flow.PortError, OperationManifest: sdk.OperationManifest{
		ID: "fail@1", Kind: sdk.KindAction, Title: "Fail", Summary: "Leaves by error, or fails the run if no edge leads on from there.", Icon: "octagon-x",
		Input: schema("fail.input"), Ports: []sdk.Port{{ID: flow.PortError, Label: "Failed"}}, Replay: sdk.Pure,
	}}
}

func (failNode) Execute(_ context.Context, _ string, input map[string]any) (any, error) {
	in := struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{Code: "failed"}
	if err := decode(input, &in); err != nil {
		return nil, err
	}
	return nil, &sdk.Problem{Code: in.Code, Message: in.Message, HTTPStatus: http.StatusUnprocessableEntity, Effect: sdk.EffectNone, Fault: sdk.FaultCaller}
}
