package sdk

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"

	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// Limits of what a running call may report.
const (
	maxProgress     = 64        // messages waiting for a slow host
	maxProgressData = 256 << 10 // bytes of one message's data
	maxWarnings     = 100
)

// outbox holds what a running call has reported and its host has not read.
// Progress is dropped, oldest first, when the host is slower than the node; the
// completion never is.
type outbox struct {
	wake chan struct{}

	mu        sync.Mutex
	pending   []*nodepb.Progress
	warnings  []Warning
	repeated  bool
	completed bool
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

func (o *outbox) progress(stage, message string, data any) {
	p := &nodepb.Progress{Stage: stage, Message: message}
	if data != nil {
		b, err := json.Marshal(data)
		if err != nil || len(b) > maxProgressData {
			slog.Warn("progress loses its data", "stage", stage, "bytes", len(b), "error", err)
			b = nil
		}
		p.Data = b
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.completed {
		return
	}
	if len(o.pending) == maxProgress {
		o.pending = o.pending[1:]
	}
	o.pending = append(o.pending, p)
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) warn(w Warning) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.completed && len(o.warnings) < maxWarnings {
		o.warnings = append(o.warnings, w)
	}
}

func (o *outbox) replayed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.repeated = !o.completed || o.repeated
}

// complete closes the outbox and makes the completion.
func (o *outbox) complete(output []byte, warnings []Warning, problem *Problem) *nodepb.ExecuteResponse {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.completed = true
	if problem != nil {
		return failed(problem)
	}
	resp := &nodepb.ExecuteResponse{Result: &nodepb.ExecuteResponse_Succeeded{Succeeded: &nodepb.Succeeded{
		Output: output, Warnings: warningsToProto(append(warnings, o.warnings...)), Replayed: o.repeated,
	}}}
	if !fits(resp) {
		return failed(&Problem{
			Code: "output_too_large", HTTPStatus: http.StatusInternalServerError, Effect: EffectDone, Fault: FaultNode,
			Message: "the call worked, but its output is larger than a message may be (16 MiB)",
		})
	}
	return resp
}

// flush sends the progress that waits.
func (o *outbox) flush(stream nodepb.NodeService_ExecuteServer) error {
	o.mu.Lock()
	batch := o.pending
	o.pending = nil
	o.mu.Unlock()
	for _, p := range batch {
		if err := stream.Send(&nodepb.ExecuteResponse{Result: &nodepb.ExecuteResponse_Progress{Progress: p}}); err != nil {
			return err
		}
	}
	return nil
}
