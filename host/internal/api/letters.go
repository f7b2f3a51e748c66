package api

import (
	"net/http"
	"strconv"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// letters serves the events that could not be delivered, under /v1/deadletters.
func (s *Server) letters(mux *http.ServeMux, e *engine.Engine) {
	mux.Handle("GET /v1/deadletters", s.account(func(w http.ResponseWriter, r *http.Request) { s.listLetters(w, r, e) }))
	mux.Handle("GET /v1/deadletters/{letter}", s.account(func(w http.ResponseWriter, r *http.Request) {
		reveal, ok := revealed(w, r)
		if !ok {
			return
		}
		l, err := e.DeadLetter(r.Context(), r.PathValue("letter"))
		if err != nil {
			s.refuse(w, err)
			return
		}
		if !reveal {
			l = l.Masked()
		}
		write(w, http.StatusOK, l)
	}))
	mux.Handle("POST /v1/deadletters/{letter}/resend", s.account(func(w http.ResponseWriter, r *http.Request) {
		d, err := e.Resend(r.Context(), r.PathValue("letter"))
		if err != nil {
			s.refuse(w, err)
			return
		}
		write(w, http.StatusOK, struct {
			Delivered bool     `json:"delivered"`
			Answered  string   `json:"answered,omitempty"`
			Started   []string `json:"started,omitempty"`
		}{!d.Dead, d.Answered, d.Started})
	}))
	mux.Handle("DELETE /v1/deadletters/{letter}", s.account(func(w http.ResponseWriter, r *http.Request) {
		if err := e.DropDeadLetter(r.Context(), r.PathValue("letter")); err != nil {
			s.refuse(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
}

func (s *Server) listLetters(w http.ResponseWriter, r *http.Request, e *engine.Engine) {
	reveal, ok := revealed(w, r)
	if !ok {
		return
	}
	limit := engine.DefaultPage
	if given := r.URL.Query().Get("limit"); given != "" {
		var err error
		if limit, err = strconv.Atoi(given); err != nil || limit < 1 || limit > engine.MaxPage {
			problem(w, http.StatusBadRequest, "limit: want 1 to "+strconv.Itoa(engine.MaxPage), nil)
			return
		}
	}
	all, err := e.DeadLetters(r.Context(), r.URL.Query().Get("cursor"), limit)
	if err != nil {
		s.refuse(w, err)
		return
	}
	next := ""
	if len(all) == limit {
		next = all[limit-1].ID
	}
	for i := range all {
		if !reveal {
			all[i] = all[i].Masked()
		}
	}
	write(w, http.StatusOK, struct {
		Letters []engine.DeadLetter `json:"deadLetters"`
		Next    string              `json:"next,omitempty"`
	}{orNone(all), next})
}
