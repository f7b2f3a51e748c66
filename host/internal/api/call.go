package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// Caller makes a call of a node's operation. progress may be called until it returns.
type Caller func(ctx context.Context, r client.Request, progress func(client.Progress)) (client.Result, error)

// CallRequest is the body of POST /v1/operations/{operation}/call.
type CallRequest struct {
	Input  json.RawMessage `json:"input,omitempty"`
	Key    string          `json:"key,omitempty"`
	DryRun bool            `json:"dryRun,omitempty"`
}

// CallLine is a line of the answer: progress until the last, which has a result, or a problem,
// or an error when nobody knows what became of the call.
type CallLine struct {
	Progress *client.Progress `json:"progress,omitempty"`
	Result   *CallResult      `json:"result,omitempty"`
	Problem  *sdk.Problem     `json:"problem,omitempty"`
	Error    string           `json:"error,omitempty"`
}

// CallResult is what an operation that worked gave.
type CallResult struct {
	Output   json.RawMessage `json:"output"`
	Warnings []sdk.Warning   `json:"warnings,omitempty"`
	Replayed bool            `json:"replayed,omitempty"`
}

// call runs an operation and answers with a JSON object per line.
func (s *Server) call(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var asked CallRequest
	if err == nil {
		err = json.Unmarshal(raw, &asked)
	}
	switch {
	case err != nil:
		problem(w, http.StatusBadRequest, `the body is not {"input": {…}, "key": "…", "dryRun": …}: `+err.Error(), nil)
		return
	case len(asked.Key) > maxKey || strings.HasPrefix(asked.Key, engine.RunKeys):
		problem(w, http.StatusBadRequest, fmt.Sprintf("the key has at most %d bytes and does not begin with %q, as the keys of flows do", maxKey, engine.RunKeys), nil)
		return
	}
	var known []string
	for _, op := range s.opt.Operations {
		if op.Kind != sdk.KindTrigger {
			known = append(known, op.ID)
		}
	}
	if op := r.PathValue("operation"); !slices.Contains(known, op) {
		problem(w, http.StatusNotFound, fmt.Sprintf("no node offers the operation %.80q: %s", op, flow.DidYouMean(op, known)), nil)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxRun)
	defer cancel()
	w.Header().Set("Content-Type", "application/x-ndjson")
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{}) // the server's would end ctx
	var mu sync.Mutex
	line := func(l CallLine) {
		mu.Lock()
		defer mu.Unlock()
		_ = json.NewEncoder(w).Encode(l) // the client is gone: its context ends
		_ = rc.Flush()
	}
	result, err := s.opt.Call(ctx, client.Request{Operation: r.PathValue("operation"), Input: asked.Input, Key: asked.Key, DryRun: asked.DryRun},
		func(p client.Progress) { line(CallLine{Progress: &p}) })
	var failed *sdk.Problem
	switch {
	case errors.As(err, &failed):
		line(CallLine{Problem: failed})
	case err != nil:
		line(CallLine{Error: err.Error()})
	default:
		line(CallLine{Result: &CallResult{json.RawMessage(result.Output), result.Warnings, result.Replayed}})
	}
}
