package client_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// script is a node that sends exactly what the test says.
type script struct {
	nodepb.UnimplementedNodeServiceServer
	execute   []*nodepb.ExecuteResponse
	subscribe []*nodepb.SubscribeResponse
	end       error
}

func (s *script) Execute(_ *nodepb.ExecuteRequest, out grpc.ServerStreamingServer[nodepb.ExecuteResponse]) error {
	for _, m := range s.execute {
		if err := out.Send(m); err != nil {
			return err
		}
	}
	return s.end
}

func (s *script) Subscribe(out grpc.BidiStreamingServer[nodepb.SubscribeRequest, nodepb.SubscribeResponse]) error {
	for _, m := range s.subscribe {
		if err := out.Send(m); err != nil {
			return err
		}
	}
	return s.end
}

func (s *script) serve(t *testing.T) *client.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	lis, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	nodepb.RegisterNodeServiceServer(g, s)
	served := make(chan error)
	go func() { served <- g.Serve(lis) }()
	t.Cleanup(func() { g.Stop(); <-served })
	conn, err := grpc.NewClient("unix:"+path, append(client.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return client.New(conn)
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestExecuteWithANodeThatBreaksTheContract(t *testing.T) {
	progress := &nodepb.ExecuteResponse{Result: &nodepb.ExecuteResponse_Progress{Progress: &nodepb.Progress{Stage: "s"}}}
	fromTheFuture := &nodepb.ExecuteResponse{}
	succeeded := &nodepb.ExecuteResponse{Result: &nodepb.ExecuteResponse_Succeeded{Succeeded: &nodepb.Succeeded{Output: []byte(`{}`)}}}
	failed := &nodepb.ExecuteResponse{Result: &nodepb.ExecuteResponse_Failed{Failed: &nodepb.Failed{Code: "c", Effect: 77}}}
	tests := []struct {
		name   string
		script script
		want   string // the error, "" for none
		effect sdk.Effect
	}{
		{"no completion", script{execute: []*nodepb.ExecuteResponse{progress}}, "execute: the node broke the contract: the stream ended without a completion (Internal)", sdk.EffectUnknown},
		{"unavailable", script{end: status.Error(codes.Unavailable, "gone")}, "execute: gone (Unavailable)", sdk.EffectUnknown},
		{"refused", script{end: status.Error(codes.FailedPrecondition, "not yet")}, "execute: not yet (FailedPrecondition)", sdk.EffectNone},
		{"unknown message", script{execute: []*nodepb.ExecuteResponse{fromTheFuture, succeeded}}, "", ""},
		{"two completions", script{execute: []*nodepb.ExecuteResponse{succeeded, failed}}, "", ""},
		{"status after the completion", script{execute: []*nodepb.ExecuteResponse{succeeded}, end: status.Error(codes.Unavailable, "gone")}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result, err := tt.script.serve(t).Execute(soon(t), client.Request{}, nil)
			if tt.want == "" {
				if err != nil || string(result.Output) != `{}` {
					t.Errorf("got %s, %v", result.Output, err)
				}
				return
			}
			te, ok := errors.AsType[*client.TransportError](err)
			if !ok || te.Error() != tt.want || te.Effect() != tt.effect {
				t.Errorf("got %v, want %q with effect %s", err, tt.want, tt.effect)
			}
		})
	}
	t.Run("unknown enums", func(t *testing.T) {
		s := script{execute: []*nodepb.ExecuteResponse{failed}}
		_, err := s.serve(t).Execute(soon(t), client.Request{}, nil)
		if p, ok := errors.AsType[*sdk.Problem](err); !ok || p.Effect != sdk.EffectUnknown || p.Fault != sdk.FaultNode {
			t.Errorf("got %#v, want what the contract says to treat them as", err)
		}
	})
}

func TestSubscribeWithANodeThatBreaksTheContract(t *testing.T) {
	ready := &nodepb.SubscribeResponse{Message: &nodepb.SubscribeResponse_Ready{Ready: &nodepb.SubscribeReady{}}}
	event := &nodepb.SubscribeResponse{Message: &nodepb.SubscribeResponse_Event{Event: &nodepb.Event{Sequence: 1}}}
	tests := []struct {
		name   string
		script script
		want   string
	}{
		{"no ready", script{subscribe: []*nodepb.SubscribeResponse{event}}, "subscribe: the node broke the contract: its first message is not ready (Internal)"},
		{"no stopped", script{subscribe: []*nodepb.SubscribeResponse{ready, event}}, "subscribe: the node broke the contract: the stream ended without stopped (Internal)"},
		{"lost", script{subscribe: []*nodepb.SubscribeResponse{ready}, end: status.Error(codes.Unavailable, "gone")}, "subscribe: gone (Unavailable)"},
		{"superseded", script{subscribe: []*nodepb.SubscribeResponse{ready}, end: status.Error(codes.Canceled, "newer")}, "subscribe: another stream of this subscriber took over (Canceled)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := tt.script.serve(t).Subscribe(soon(t), client.Start{})
			for err == nil {
				_, err = s.Recv()
			}
			if err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if s == nil {
				return
			}
			if _, again := s.Recv(); !errors.Is(again, err) {
				t.Errorf("the next Recv says %v", again)
			}
			if _, err := s.Stop(soon(t)); err == nil {
				t.Error("a stream that broke was stopped in order")
			}
		})
	}
}
