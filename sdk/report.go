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

// report holds what a running call has reported and its host has not read. When the host is slower
// than the node, the oldest progress is dropped; the completion never is.
type report struct {
	wake chan struct{}

	mu        sync.Mutex
	pending   []*nodepb.Progress
	warnings  []Warning
	repeated  bool
	completed bool
}

func newReport() *report { return &report{wake: make(chan struct{}, 1)} }

func (r *report) progress(stage, message string, data any) {
	p := &nodepb.Progress{Stage: stage, Message: message}
	if data != nil {
		b, err := json.Marshal(data)
		if err != nil || len(b) > maxProgressData {
			slog.Warn("progress loses its data", "stage", stage, "bytes", len(b), "error", err)
			b = nil
		}
		p.Data = b
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.completed {
		return
	}
	if len(r.pending) == maxProgress {
		r.pending = r.pending[1:]
	}
	r.pending = append(r.pending, p)
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *report) warn(w Warning) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.completed && len(r.warnings) < maxWarnings {
		r.warnings = append(r.warnings, w)
	}
}

func (r *report) replayed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.repeated = !r.completed || r.repeated
}

// complete closes the report and returns the completion.
func (r *report) complete(output []byte, warnings []Warning, problem *Problem) *nodepb.ExecuteResponse {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.completed = true
	if problem != nil {
		return failed(problem)
	}
	resp := &nodepb.ExecuteResponse{Result: &nodepb.ExecuteResponse_Succeeded{Succeeded: &nodepb.Succeeded{
		Output: output, Warnings: warningsToProto(append(warnings, r.warnings...)), Replayed: r.repeated,
	}}}
	if !fits(resp) {
		return failed(&Problem{
			Code: "output_too_large", HTTPStatus: http.StatusInternalServerError, Effect: EffectDone, Fault: FaultNode,
			Message: "the call worked, but its output is larger than a message may be (16 MiB)",
		})
	}
	return resp
}

// flush sends the pending progress.
func (r *report) flush(stream nodepb.NodeService_ExecuteServer) error {
	r.mu.Lock()
	batch := r.pending
	r.pending = nil
	r.mu.Unlock()
	for _, p := range batch {
		if err := stream.Send(&nodepb.ExecuteResponse{Result: &nodepb.ExecuteResponse_Progress{Progress: p}}); err != nil {
			return err
		}
	}
	return nil
}
