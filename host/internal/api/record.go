package api

import (
	"context"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/host/internal/access"
	"github.com/tapnode/tapnode/host/internal/front"
)

// recordTime is how long an entry of the audit log may take to be stored.
const recordTime = 15 * time.Second

type aboutKey struct{}

// about tells the audit log what the path of a request does not say, such as the token that it has
// made, and that it belongs there.
func about(ctx context.Context, what string) {
	if told, ok := ctx.Value(aboutKey{}).(*string); ok {
		*told = what
	}
}

// recorded puts a request into the audit log when done is called: if it must be there, or a handler
// took note of it. Queries and bodies are left out:
// secrets may be in them.
func (s *Server) recorded(w http.ResponseWriter, r *http.Request, caller access.Caller, must bool) (http.ResponseWriter, *http.Request, func()) {
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	told, from := new(string), ""
	if addr := front.Sender(r); addr.IsValid() {
		from = addr.String()
	}
	r = r.WithContext(context.WithValue(r.Context(), aboutKey{}, told))
	return seen, r, func() {
		if !must && *told == "" {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), recordTime)
		defer cancel()
		e := access.Entry{Caller: caller.ID, Name: caller.Name, Action: r.Method + " " + r.URL.EscapedPath(), About: *told, From: from, Status: seen.status}
		if err := s.opt.Access.Record(ctx, e); err != nil {
			s.opt.Logger.Error("an action is not in the audit log", "action", r.Method+" "+r.Pattern, "caller", caller.ID, "err", err)
		}
	}
}
