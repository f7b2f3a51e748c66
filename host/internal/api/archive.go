package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// archive serves GET /v1/runs, GET /v1/runs/{run}, and POST /v1/runs/{run}/cancel, retry and
// resume. Numbers and texts are masked unless ?reveal=true is asked for with the right to it.
func (s *Server) archive(mux *http.ServeMux, e *engine.Engine) {
	mux.Handle("GET /v1/runs", s.account(func(w http.ResponseWriter, r *http.Request) { s.listRuns(w, r, e) }))
	mux.Handle("GET /v1/runs/{run}", s.account(func(w http.ResponseWriter, r *http.Request) { s.showRun(w, r, e) }))
	repair := func(name string, do func(ctx context.Context, id string, o repairOptions) error) {
		mux.Handle("POST /v1/runs/{run}/"+name, s.account(func(w http.ResponseWriter, r *http.Request) { s.repair(w, r, e, do) }))
	}
	repair("cancel", func(ctx context.Context, id string, o repairOptions) error { return e.Cancel(ctx, id, o.Reason) })
	repair("retry", func(ctx context.Context, id string, _ repairOptions) error { return e.Retry(ctx, id) })
	repair("resume", func(ctx context.Context, id string, o repairOptions) error { return e.Resume(ctx, id, o.Visit) })
}

// queryOf reads what is looked for.
func queryOf(v url.Values) (q engine.Query, err error) {
	for name := range v {
		switch value := v.Get(name); name {
		case "flow":
			q.Flow = value
		case "status":
			q.Status = run.Status(value)
		case "node":
			q.Node = value
		case "about":
			q.About = value
		case "cursor":
			q.After = value
		case "version":
			q.Version, err = strconv.Atoi(value)
		case "limit":
			q.Limit, err = strconv.Atoi(value)
		case "since":
			q.Since, err = time.Parse(time.RFC3339, value)
		case "until":
			q.Until, err = time.Parse(time.RFC3339, value)
		case "reveal":
		default:
			err = errors.New("there is no such parameter; there are flow, version, status, node, about, since, until, limit, cursor and reveal")
		}
		if err != nil {
			return q, fmt.Errorf("%w: %.40q: %w", engine.ErrBadQuery, name, err)
		}
	}
	return q, nil
}

func (s *Server) listRuns(w http.ResponseWriter, r *http.Request, e *engine.Engine) {
	reveal, ok := revealed(w, r)
	if !ok {
		return
	}
	q, err := queryOf(r.URL.Query())
	var page engine.Page
	if err == nil {
		page, err = e.Runs(r.Context(), q)
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	runs := make([]engine.Found, len(page.Runs))
	for i, f := range page.Runs {
		if runs[i] = f; !reveal {
			runs[i] = f.Masked()
		}
	}
	write(w, http.StatusOK, struct {
		Runs []engine.Found `json:"runs"`
		Next string         `json:"next,omitempty"`
	}{runs, page.Next})
}

func (s *Server) showRun(w http.ResponseWriter, r *http.Request, e *engine.Engine) {
	reveal, ok := revealed(w, r)
	if !ok {
		return
	}
	h, err := e.History(r.Context(), r.PathValue("run"))
	if err != nil {
		s.refuse(w, err)
		return
	}
	if !reveal {
		h = h.Masked()
	}
	write(w, http.StatusOK, h)
}

// repairOptions are the body of the requests that change a run; each may be left out.
type repairOptions struct {
	Reason string `json:"reason"` // of cancel
	Visit  int    `json:"visit"`  // of resume; 0: all
}

// repair changes a run and answers with how it is then.
func (s *Server) repair(w http.ResponseWriter, r *http.Request, e *engine.Engine, do func(context.Context, string, repairOptions) error) {
	var o repairOptions
	if err := body(w, r, &o); err != nil {
		problem(w, http.StatusBadRequest, err.Error(), nil)
		return
	}
	if err := do(r.Context(), r.PathValue("run"), o); err != nil {
		s.refuse(w, err)
		return
	}
	s.showRun(w, r, e)
}

// body reads a small JSON object without unknown members; an empty body is one without any.
func body(w http.ResponseWriter, r *http.Request, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRunBody))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the body is not what this takes: %w", err)
	}
	return nil
}

// refuse answers with an error of the engine.
func (s *Server) refuse(w http.ResponseWriter, err error) {
	var bad *flow.InvalidError
	switch {
	case errors.As(err, &bad):
		problem(w, http.StatusUnprocessableEntity, "the flow cannot run", bad.Findings)
	case errors.Is(err, engine.ErrBadQuery):
		problem(w, http.StatusBadRequest, err.Error(), nil)
	case errors.Is(err, engine.ErrNotFound):
		problem(w, http.StatusNotFound, err.Error(), nil)
	case errors.Is(err, run.ErrNoRetry), errors.Is(err, run.ErrNoResume), errors.Is(err, engine.ErrUnknownFlow):
		problem(w, http.StatusConflict, err.Error(), nil)
	default:
		s.opt.Logger.Error("a request for runs or flows failed", "err", err)
		problem(w, http.StatusServiceUnavailable, "it could not be done; try again", nil)
	}
}
