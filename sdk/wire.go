package sdk

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// The node's half of the translation between this package's types and the contract's messages; the
// host's half is in sdk/client. An enum value is its name in the proto without the enum's prefix,
// so neither half has a table. TestNothingIsLost of package client sends every field through both.

func manifestToProto(m Manifest) *nodepb.DescribeResponse {
	out := &nodepb.DescribeResponse{
		Name: m.Name, Version: m.Version, SdkVersion: m.SDKVersion, Features: m.Features,
		SettingsSchema: m.Settings, Title: m.Title, Summary: m.Summary,
	}
	for _, op := range m.Operations {
		out.Operations = append(out.Operations, operationToProto(op))
	}
	return out
}

func operationToProto(op OperationManifest) *nodepb.Operation {
	out := &nodepb.Operation{
		Id: op.ID, Kind: nodepb.Kind(nodepb.Kind_value["KIND_"+string(op.Kind)]),
		Title: op.Title, Summary: op.Summary, Icon: op.Icon,
		InputSchema: op.Input, OutputSchema: op.Output,
		Replay: nodepb.Replay(nodepb.Replay_value["REPLAY_"+string(op.Replay)]),
	}
	for _, p := range op.Ports {
		out.Ports = append(out.Ports, &nodepb.Port{Id: p.ID, Label: p.Label})
	}
	for _, r := range op.PortRules {
		out.PortRules = append(out.PortRules, &nodepb.PortRule{Each: r.Each, Where: r.Where, Id: r.ID, Label: r.Label})
	}
	for _, e := range op.Events {
		out.Events = append(out.Events, &nodepb.EventType{Type: e.Type, Schema: e.Schema, Title: e.Title, Port: e.Port})
	}
	if op.HTTP != nil {
		out.Http = &nodepb.HttpRoute{Method: op.HTTP.Method, Path: op.HTTP.Path}
	}
	return out
}

func violationsToProto(vs []Violation) []*nodepb.Violation {
	var out []*nodepb.Violation
	for _, v := range vs {
		out = append(out, &nodepb.Violation{Pointer: v.Pointer, Code: v.Code, Message: v.Message, Suggestion: v.Suggestion})
	}
	return out
}

func warningsToProto(ws []Warning) []*nodepb.Warning {
	var out []*nodepb.Warning
	for _, w := range ws {
		out = append(out, &nodepb.Warning{Pointer: w.Pointer, Code: w.Code, Message: w.Message})
	}
	return out
}

func failed(p *Problem) *nodepb.ExecuteResponse {
	return &nodepb.ExecuteResponse{Result: &nodepb.ExecuteResponse_Failed{Failed: problemToProto(p)}}
}

func problemToProto(p *Problem) *nodepb.Failed {
	f := &nodepb.Failed{
		Code: p.Code, HttpStatus: int32(p.HTTPStatus), Message: p.Message, // problemOf keeps it within 400 to 599
		Effect: nodepb.Effect(nodepb.Effect_value["EFFECT_"+string(p.Effect)]), Retryable: p.Retryable,
		Fault:      nodepb.Fault(nodepb.Fault_value["FAULT_"+string(p.Fault)]),
		Violations: violationsToProto(p.Violations),
	}
	if p.RetryAfter > 0 {
		f.RetryAfter = durationpb.New(p.RetryAfter)
	}
	return f
}

func eventToProto(e Event) *nodepb.Event {
	return &nodepb.Event{
		Sequence: e.Sequence, Id: e.ID, Type: e.Type, Subject: e.Subject, Time: timeToProto(e.Time),
		Data: e.Data, Cursor: e.Cursor, Correlation: e.Correlation, Traceparent: e.Traceparent,
	}
}

func healthToProto(h Health) *nodepb.WatchHealthResponse {
	return &nodepb.WatchHealthResponse{
		Subject: h.Subject, State: nodepb.HealthState(nodepb.HealthState_value["HEALTH_STATE_"+string(h.State)]),
		Reason: h.Reason, Message: h.Message, Since: timeToProto(h.Since), Removed: h.Removed,
	}
}

func timeToProto(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
