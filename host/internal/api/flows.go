package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// Published says what became of a flow file that somebody published, or kept as a draft.
type Published struct {
	engine.Version
	// New is false for what was so already.
	New      bool           `json:"new"`
	Findings []flow.Finding `json:"findings,omitempty"` // warnings
}

// Flows changes which versions of flows there are, and which start runs.
type Flows interface {
	// Publish keeps a flow file as a version that starts runs from now on. A
	// *flow.InvalidError says what is wrong with the file.
	Publish(ctx context.Context, source []byte) (Published, error)
	// Draft keeps a flow file that starts no runs, in the place of the flow's draft.
	Draft(ctx context.Context, source []byte) (Published, error)
	// Restore publishes a version that is kept.
	Restore(ctx context.Context, id string, number int) (Published, error)
	// Retire makes a flow start no more runs.
	Retire(ctx context.Context, id string) error
	// Diff compares two versions; the older 0 is the published one, the newer 0 the newest.
	Diff(ctx context.Context, id string, older, newer int) ([]flow.Change, error)
}

// flows serves the versions of flows under /v1/flows.
func (s *Server) flows(mux *http.ServeMux, f Flows, e *engine.Engine) {
	answer := func(w http.ResponseWriter, status int, body any, err error) {
		if err != nil {
			s.refuse(w, err)
			return
		}
		write(w, status, body)
	}
	mux.Handle("GET /v1/flows", s.account(func(w http.ResponseWriter, r *http.Request) {
		all, err := e.Published(r.Context())
		answer(w, http.StatusOK, map[string]any{"flows": orNone(all)}, err)
	}))
	mux.Handle("POST /v1/flows", s.account(func(w http.ResponseWriter, r *http.Request) { s.publish(w, r, f) }))
	mux.Handle("GET /v1/flows/{flow}/versions", s.account(func(w http.ResponseWriter, r *http.Request) {
		all, err := e.Versions(r.Context(), r.PathValue("flow"))
		answer(w, http.StatusOK, map[string]any{"versions": orNone(all)}, err)
	}))
	mux.Handle("GET /v1/flows/{flow}/versions/{version}/source", s.account(func(w http.ResponseWriter, r *http.Request) {
		v, err := e.Version(r.Context(), r.PathValue("flow"), number(r.PathValue("version")))
		if err != nil {
			s.refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(v.Source) // the client is gone: nobody to tell
	}))
	mux.Handle("POST /v1/flows/{flow}/versions/{version}/publish", s.account(func(w http.ResponseWriter, r *http.Request) {
		p, err := f.Restore(r.Context(), r.PathValue("flow"), number(r.PathValue("version")))
		answer(w, http.StatusOK, p, err)
	}))
	mux.Handle("GET /v1/flows/{flow}/diff", s.account(func(w http.ResponseWriter, r *http.Request) {
		older, newer := r.URL.Query().Get("from"), r.URL.Query().Get("to")
		changes, err := f.Diff(r.Context(), r.PathValue("flow"), optional(older), optional(newer))
		answer(w, http.StatusOK, map[string]any{"changes": orNone(changes)}, err)
	}))
	mux.Handle("POST /v1/flows/{flow}/retire", s.account(func(w http.ResponseWriter, r *http.Request) {
		err := f.Retire(r.Context(), r.PathValue("flow"))
		answer(w, http.StatusOK, map[string]string{"flow": r.PathValue("flow"), "state": string(engine.Retired)}, err)
	}))
}

// publish takes a flow file as the body, YAML or JSON.
func (s *Server) publish(w http.ResponseWriter, r *http.Request, f Flows) {
	source, err := io.ReadAll(http.MaxBytesReader(w, r.Body, flow.MaxSize+1)) // one more is a finding
	if tooLarge := (*http.MaxBytesError)(nil); err != nil && !errors.As(err, &tooLarge) {
		problem(w, http.StatusBadRequest, "the body ended early", nil)
		return
	}
	do := f.Publish
	switch r.URL.Query().Get("draft") {
	case "":
	case "true":
		do = f.Draft
	default:
		problem(w, http.StatusBadRequest, "draft is true, or left out", nil)
		return
	}
	p, err := do(r.Context(), source)
	if err != nil {
		s.refuse(w, err)
		return
	}
	status := http.StatusOK
	if p.New {
		status = http.StatusCreated
	}
	write(w, status, p)
}

// number reads that of a version; what is none is of no version.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n <= 0 {
		return -1
	}
	return n
}

// optional is number for one that may be left out.
func optional(s string) int {
	if s == "" {
		return 0
	}
	return number(s)
}

// orNone makes an empty list [] in JSON.
func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
