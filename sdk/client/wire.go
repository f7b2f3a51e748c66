package client

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tapnode/tapnode/sdk"
	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// The host's half of the translation between the contract's messages and the types of package sdk;
// the node's half is sdk/wire.go. An enum's value is its name in the proto without the enum's
// prefix. A value that is unspecified, or newer than this client, becomes the value that the
// contract prescribes for it.

func manifestOf(r *nodepb.DescribeResponse) sdk.Manifest {
	out := sdk.Manifest{
		Name: r.GetName(), Version: r.GetVersion(), Title: r.GetTitle(), Summary: r.GetSummary(),
		SDKVersion: r.GetSdkVersion(), Features: r.GetFeatures(), Settings: r.GetSettingsSchema(),
	}
	for _, op := range r.GetOperations() {
		out.Operations = append(out.Operations, operationOf(op))
	}
	return out
}

func operationOf(op *nodepb.Operation) sdk.OperationManifest {
	out := sdk.OperationManifest{
		ID: op.GetId(), Kind: sdk.Kind(name(op.GetKind(), "KIND_", "")),
		Title: op.GetTitle(), Summary: op.GetSummary(), Icon: op.GetIcon(),
		Input: op.GetInputSchema(), Output: op.GetOutputSchema(),
	}
	if op.GetKind() != nodepb.Kind_KIND_TRIGGER {
		out.Replay = sdk.Replay(name(op.GetReplay(), "REPLAY_", string(sdk.Unsafe)))
	}
	for _, p := range op.GetPorts() {
		out.Ports = append(out.Ports, sdk.Port{ID: p.GetId(), Label: p.GetLabel()})
	}
	for _, r := range op.GetPortRules() {
		out.PortRules = append(out.PortRules, sdk.PortRule{Each: r.GetEach(), Where: r.GetWhere(), ID: r.GetId(), Label: r.GetLabel()})
	}
	for _, e := range op.GetEvents() {
		out.Events = append(out.Events, sdk.EventType{Type: e.GetType(), Schema: e.GetSchema(), Title: e.GetTitle(), Port: e.GetPort()})
	}
	if h := op.GetHttp(); h != nil {
		out.HTTP = &sdk.Route{Method: h.GetMethod(), Path: h.GetPath()}
	}
	return out
}

func violationsOf(vs []*nodepb.Violation) []sdk.Violation {
	var out []sdk.Violation
	for _, v := range vs {
		out = append(out, sdk.Violation{Pointer: v.GetPointer(), Code: v.GetCode(), Message: v.GetMessage(), Suggestion: v.GetSuggestion()})
	}
	return out
}

func warningsOf(ws []*nodepb.Warning) []sdk.Warning {
	var out []sdk.Warning
	for _, w := range ws {
		out = append(out, sdk.Warning{Pointer: w.GetPointer(), Code: w.GetCode(), Message: w.GetMessage()})
	}
	return out
}

func problemOf(f *nodepb.Failed) *sdk.Problem {
	return &sdk.Problem{
		Code: f.GetCode(), HTTPStatus: int(f.GetHttpStatus()), Message: f.GetMessage(),
		Effect: sdk.Effect(name(f.GetEffect(), "EFFECT_", string(sdk.EffectUnknown))), Retryable: f.GetRetryable(),
		RetryAfter: f.GetRetryAfter().AsDuration(),
		Fault:      sdk.Fault(name(f.GetFault(), "FAULT_", string(sdk.FaultNode))),
		Violations: violationsOf(f.GetViolations()),
	}
}

func eventOf(e *nodepb.Event) sdk.Event {
	return sdk.Event{
		Sequence: e.GetSequence(), ID: e.GetId(), Type: e.GetType(), Subject: e.GetSubject(), Time: timeOf(e.GetTime()),
		Data: e.GetData(), Cursor: e.GetCursor(), Correlation: e.GetCorrelation(), Traceparent: e.GetTraceparent(),
	}
}

func healthOf(h *nodepb.WatchHealthResponse) sdk.Health {
	return sdk.Health{
		Subject: h.GetSubject(), State: sdk.HealthState(name(h.GetState(), "HEALTH_STATE_", string(sdk.Starting))),
		Reason: h.GetReason(), Message: h.GetMessage(), Since: timeOf(h.GetSince()), Removed: h.GetRemoved(),
	}
}

// name returns the Go value of an enum: its proto name without the prefix, or the fallback for
// unspecified and for numbers that have no name here.
func name(e interface{ String() string }, prefix, fallback string) string {
	n, known := strings.CutPrefix(e.String(), prefix)
	if !known || n == "UNSPECIFIED" {
		return fallback
	}
	return n
}

func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
