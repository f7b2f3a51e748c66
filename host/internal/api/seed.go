package api

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/seed"
	"github.com/tapnode/tapnode/sdk"
)

// maxSeedBody limits the body of a request that package seed answers, in bytes.
const maxSeedBody = 64 << 10

// seed mounts the endpoints of package seed.
func (s *Server) seed(mux *http.ServeMux, a *seed.API) {
	a.OnWebsocket(s.sockets.configure)
	for _, e := range a.Endpoints() {
		h := s.endpoint(e)
		if e.Creation {
			h = s.creating(h)
		}
		if e.Account {
			h = accountOnly(h)
		}
		h = s.scoped(e.Scope, h)
		mux.Handle(e.Pattern, h)
		if base, ok := strings.CutSuffix(e.Pattern, "{instance}"); ok {
			mux.Handle(base+"{$}", h)
		}
	}
}

// creating counts a request against the limit of creations, too; the seed's headers then describe that
// limit.
func (s *Server) creating(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := tokenIn(r.Context())
		if caller.ID != access.Owner().ID && !quota(w.Header(), s.opt.Access.Use(caller.ID, access.Creations)) {
			deny(w, r, http.StatusTooManyRequests, "rate_limited", "Rate limit exceeded. Try again later.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) endpoint(e seed.Endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		instance := r.PathValue("instance")
		if instance == "" && strings.HasSuffix(e.Pattern, "{instance}") {
			fail(w, http.StatusBadRequest, "invalid_request", "Instance name is required")
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSeedBody))
		if err != nil {
			reason := "it ended early"
			if _, large := errors.AsType[*http.MaxBytesError](err); large {
				reason = "it is larger than 64 KiB"
			}
			fail(w, http.StatusBadRequest, "invalid_request_body", "Invalid request body: "+reason)
			return
		}
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // the server's would cancel the context of a long answer
		caller, _ := tokenIn(r.Context())
		answer, err := e.Answer(r.Context(), seed.Request{Instance: instance, Query: r.URL.Query(), Body: body, Caller: caller})
		if _, refused := errors.AsType[*sdk.Problem](err); err != nil && !refused {
			w.Header().Set("Retry-After", "1")
			fail(w, http.StatusServiceUnavailable, "node_unavailable", "The node did not answer; try again")
			return
		}
		if err != nil {
			failWith(w, err)
			return
		}
		out := map[string]any{"success": true, "message": answer.Message, "data": answer.Data}
		if answer.Data == nil {
			out["data"] = answer.Members
		}
		if answer.State != "" {
			out["status"] = answer.State
		}
		if len(answer.Warnings) > 0 {
			out["warnings"] = answer.Warnings
		}
		maps.Copy(out, answer.Members)
		w.Header().Set("Cache-Control", "no-store") // the answer may contain tokens
		write(w, max(answer.Status, http.StatusOK), out)
	})
}
