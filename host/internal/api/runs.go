package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// maxWatchers is how many streams of steps may be open.
const maxWatchers = 1000

// runs serves POST /v1/flows/{flow}/runs and GET /v1/runs/{run}/steps.
func (s *Server) runs(mux *http.ServeMux, e *engine.Engine) {
	mux.Handle("POST /v1/flows/{flow}/runs", s.authorized(accountOnly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.startRun(w, r, e) }))))
	mux.Handle("GET /v1/runs/{run}/steps", s.authorized(accountOnly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.watchRun(w, r, e) }))))
}

// startRun starts a run by hand: {"vars": {…}}, an empty body means the defaults. An
// Idempotency-Key makes repeats answer with the same run.
func (s *Server) startRun(w http.ResponseWriter, r *http.Request, e *engine.Engine) {
	var body struct {
		Vars map[string]any `json:"vars"`
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	dec.DisallowUnknownFields()
	err := dec.Decode(&body)
	if err == nil && dec.More() {
		err = errors.New("there is more behind it")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		problem(w, http.StatusBadRequest, "the body is not {\"vars\": {…}}: "+err.Error(), nil)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if len(key) > maxKey {
		problem(w, http.StatusBadRequest, longKey, nil)
		return
	}
	id, err := e.Run(r.Context(), engine.Request{Flow: r.PathValue("flow"), Vars: body.Vars, Key: key})
	var bad *flow.InvalidError
	switch {
	case errors.As(err, &bad):
		problem(w, http.StatusUnprocessableEntity, "the variables do not fit the flow", bad.Findings)
	case errors.Is(err, engine.ErrUnknownFlow):
		problem(w, http.StatusNotFound, "no such flow is deployed", nil)
	case err != nil:
		s.opt.Logger.Error("start run", "flow", r.PathValue("flow"), "err", err)
		problem(w, http.StatusServiceUnavailable, "the run could not be started; try again", nil)
	default:
		w.Header().Set("Location", "/v1/runs/"+id+"/steps")
		write(w, http.StatusCreated, map[string]string{"run": id})
	}
}

// watchRun streams a run's steps, one JSON object per line, from the first kept one
// until the run is over, which may take days, the client goes or the server stops.
func (s *Server) watchRun(w http.ResponseWriter, r *http.Request, e *engine.Engine) {
	id := r.PathValue("run")
	if _, err := e.State(r.Context(), id); err != nil {
		problem(w, http.StatusNotFound, "no such run", nil)
		return
	}
	select {
	case s.watchers <- struct{}{}:
		defer func() { <-s.watchers }()
	default:
		problem(w, http.StatusServiceUnavailable, "too many runs are being watched", nil)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-s.hub.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	w.Header().Set("Content-Type", "application/x-ndjson")
	rc := http.NewResponseController(w)
	// The server's read deadline would cut the stream when it passes.
	if err := errors.Join(rc.SetReadDeadline(time.Time{}), rc.Flush()); err != nil {
		return
	}
	for step, err := range e.Watch(ctx, id, 0) {
		if errors.Is(err, engine.ErrLagged) {
			continue // the gap shows in the sequence
		}
		if err != nil {
			return
		}
		raw, err := json.Marshal(step)
		if err != nil {
			s.opt.Logger.Error("step is not JSON", "run", id, "err", err)
			return
		}
		if err := rc.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "%s\n", raw); err != nil || rc.Flush() != nil {
			return
		}
		if step.Kind == run.TraceRunFinished {
			return
		}
	}
}

// problem answers with RFC 9457 problem details.
func problem(w http.ResponseWriter, status int, detail string, findings []flow.Finding) {
	raw, err := json.Marshal(struct {
		Title  string         `json:"title"`
		Status int            `json:"status"`
		Detail string         `json:"detail"`
		Errors []flow.Finding `json:"errors,omitempty"`
	}{http.StatusText(status), status, detail, findings})
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"title":"Internal Server Error","status":500}`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // the client is gone: nobody to tell
}
