package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/tapnode/tapnode/internal/jsonstrict"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk/schema"
)

// Streams of steps that may be open: in all, and of one token, so that one client cannot
// take them all.
const (
	maxWatchers         = 1000
	maxWatchersPerToken = 100
)

// maxRunBody bounds the body of a request for a run, in bytes.
const maxRunBody = 1 << 20

// runs serves POST /v1/flows/{flow}/runs and GET /v1/runs/{run}/steps.
func (s *Server) runs(mux *http.ServeMux, e *engine.Engine) {
	mux.Handle("POST /v1/flows/{flow}/runs", s.authorized(accountOnly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.startRun(w, r, e) }))))
	mux.Handle("GET /v1/runs/{run}/steps", s.authorized(accountOnly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.watchRun(w, r, e) }))))
}

// startRun starts a run by hand: {"vars": {…}}, an empty body means the defaults. An
// Idempotency-Key makes repeats answer with the same run.
func (s *Server) startRun(w http.ResponseWriter, r *http.Request, e *engine.Engine) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRunBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		problem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxRunBody), nil)
		return
	case err != nil:
		problem(w, http.StatusBadRequest, "the body ended early", nil)
		return
	}
	vars, finding := varsOf(body)
	if finding != nil {
		problem(w, http.StatusBadRequest, "the body is not {\"vars\": {…}}: "+finding.Message, []flow.Finding{*finding})
		return
	}
	key, mistake := keyOf(r)
	if mistake != "" {
		problem(w, http.StatusBadRequest, mistake, nil)
		return
	}
	id, err := e.Run(r.Context(), engine.Request{Flow: r.PathValue("flow"), Vars: vars, Key: key})
	var bad *flow.InvalidError
	switch {
	case errors.As(err, &bad):
		problem(w, http.StatusUnprocessableEntity, "the variables do not fit the flow", bad.Findings)
	case errors.Is(err, engine.ErrKeyUsed):
		problem(w, http.StatusUnprocessableEntity, "the Idempotency-Key was used for a run with other variables; take another key", nil)
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

// varsOf reads the body of a request for a run: one document of the contract with the
// member vars and no other.
func varsOf(body []byte) (map[string]any, *flow.Finding) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	if f := schema.Document(body); f != nil {
		return nil, &flow.Finding{Pointer: f.Pointer, Severity: flow.SeverityError, Code: f.Code, Message: f.Message, Suggestion: f.Suggestion}
	}
	value, err := flow.DecodeJSON(body)
	members, ok := value.(map[string]any)
	if err != nil || !ok {
		return nil, &flow.Finding{Severity: flow.SeverityError, Code: "not_an_object", Message: "it must be a JSON object"}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if name != "vars" {
			return nil, &flow.Finding{Pointer: jsonstrict.Pointer("", name), Severity: flow.SeverityError, Code: "unknown_member",
				Message: fmt.Sprintf("there is a member %.80q; only vars is known", name)}
		}
	}
	vars, ok := members["vars"].(map[string]any)
	if _, given := members["vars"]; given && !ok {
		return nil, &flow.Finding{Pointer: "/vars", Severity: flow.SeverityError, Code: "type", Message: "vars must be an object"}
	}
	return vars, nil
}

// watchRun streams a run's steps, one JSON object per line, from the first kept one
// until the run is over, which may take days, the client goes or the server stops.
func (s *Server) watchRun(w http.ResponseWriter, r *http.Request, e *engine.Engine) {
	reveal, ok := revealed(w, r)
	if !ok {
		return
	}
	id := r.PathValue("run")
	if _, err := e.State(r.Context(), id); err != nil {
		problem(w, http.StatusNotFound, "no such run", nil)
		return
	}
	token, _ := tokenIn(r.Context())
	leave, mistake := s.watchers.join(token.ID)
	if mistake != "" {
		problem(w, http.StatusTooManyRequests, mistake, nil)
		return
	}
	defer leave()
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
	for step, err := range e.Follow(ctx, id) {
		if err != nil {
			s.opt.Logger.Warn("steps of a run cannot be read", "run", id, "err", err)
			return
		}
		if !reveal {
			step = step.Masked()
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
	}
}

// watchers counts the open streams of steps, by token.
type watchers struct {
	mu   sync.Mutex
	all  int
	each map[string]int
}

// join takes a place, which leave gives back, or says why there is none.
func (c *watchers) join(token string) (leave func(), mistake string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.each[token] >= maxWatchersPerToken:
		return nil, fmt.Sprintf("this token watches %d runs already; end one of these streams", maxWatchersPerToken)
	case c.all >= maxWatchers:
		return nil, fmt.Sprintf("%d runs are being watched, which is the limit; try again later", maxWatchers)
	}
	c.all++
	c.each[token]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all--
		if c.each[token]--; c.each[token] == 0 {
			delete(c.each, token)
		}
	}, ""
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
