package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/sdk"
	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// Request is one call of an ACTION or OPERATION.
type Request struct {
	Operation   string // operation id
	Input       []byte // JSON; empty is {}
	Key         string // idempotency key, at most 255 bytes; the node invents one if empty
	Correlation string // comes back on every event that answers this call; at most 1 KiB
	DryRun      bool   // answer with the preview, do nothing
	Traceparent string // W3C trace context
	LeaseEpoch  uint64 // 0: not leased
}

// Progress is a progress report of a running call.
type Progress struct {
	Stage   string   `json:"stage"`
	Message string   `json:"message,omitempty"`
	Data    sdk.JSON `json:"data,omitempty"`
}

// Result is the outcome of a call that worked.
type Result struct {
	Output   sdk.JSON // with DryRun, the preview
	Warnings []sdk.Warning
	Replayed bool // the result is that of an earlier call with the same key
}

// Execute runs one call. onProgress, which may be nil, is called with what the node reports, one
// report at a time, before Execute returns. The error is a *[sdk.Problem] when the operation failed
// and a *[TransportError] when no outcome was received. Cancelling ctx cancels the work; the
// outcome is then unknown. Default deadline: [ExecuteTimeout].
func (c *Client) Execute(ctx context.Context, r Request, onProgress func(Progress)) (Result, error) {
	ctx, cancel := within(ctx, ExecuteTimeout)
	defer cancel()
	req := &nodepb.ExecuteRequest{
		Operation: r.Operation, Input: r.Input, IdempotencyKey: r.Key, Correlation: r.Correlation,
		DryRun: r.DryRun, Traceparent: r.Traceparent, LeaseEpoch: r.LeaseEpoch,
	}
	if err := sendable(req); err != nil {
		return Result{}, &TransportError{Op: "execute", Code: codes.InvalidArgument, Err: err}
	}
	stream, err := c.rpc.Execute(ctx, req)
	if err != nil {
		return Result{}, transport("execute", err)
	}
	for {
		resp, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return Result{}, broken("execute", "the stream ended without a completion")
		case err != nil:
			return Result{}, transport("execute", err)
		}
		switch m := resp.GetResult().(type) {
		case *nodepb.ExecuteResponse_Progress:
			if onProgress != nil {
				onProgress(Progress{Stage: m.Progress.GetStage(), Message: m.Progress.GetMessage(), Data: m.Progress.GetData()})
			}
		case *nodepb.ExecuteResponse_Succeeded:
			readEnd(stream)
			return Result{
				Output: m.Succeeded.GetOutput(), Warnings: warningsOf(m.Succeeded.GetWarnings()), Replayed: m.Succeeded.GetReplayed(),
			}, nil
		case *nodepb.ExecuteResponse_Failed:
			readEnd(stream)
			return Result{}, problemOf(m.Failed)
		} // a message unknown to this client belongs to a feature it did not ask for
	}
}

// sendable returns why a request cannot be sent, which no retry would change.
func sendable(r *nodepb.ExecuteRequest) error {
	for name, text := range map[string]string{
		"operation": r.GetOperation(), "idempotency key": r.GetIdempotencyKey(), "correlation": r.GetCorrelation(), "traceparent": r.GetTraceparent(),
	} {
		if !utf8.ValidString(text) {
			return fmt.Errorf("the %s is not UTF-8", name)
		}
	}
	if size := proto.Size(r); size > sdk.MaxMessage {
		return fmt.Errorf("the request has %d bytes, the limit is %d", size, sdk.MaxMessage)
	}
	return nil
}

// readEnd reads the end of a stream after its completion, which saves both sides the reset of an
// abandoned stream. Whatever it reads, the outcome stands.
func readEnd(stream nodepb.NodeService_ExecuteClient) { _, _ = stream.Recv() }
