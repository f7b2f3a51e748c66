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

type toldKey struct{}

// told is what a handler adds to the audit log's entry for its request.
type told struct {
	about  string
	caller access.Caller
}

// about marks a request for the audit log and adds what its path does not say, such as the id of the token
// that it made.
func about(ctx context.Context, what string) {
	if t, ok := ctx.Value(toldKey{}).(*told); ok {
		t.about = what
	}
}

// acts sets the caller in the audit log's entry for a request that began without one, such as a sign-in.
func acts(ctx context.Context, caller access.Caller) {
	if t, ok := ctx.Value(toldKey{}).(*told); ok {
		t.caller = caller
	}
}

// recorded writes a request into the audit log when done is called, if it must be there or a handler has
// called about. Queries and bodies are left out, because they may contain secrets.
func (s *Server) recorded(w http.ResponseWriter, r *http.Request, caller access.Caller, must bool) (http.ResponseWriter, *http.Request, func()) {
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	told, from := &told{caller: caller}, ""
	if addr := front.Sender(r); addr.IsValid() {
		from = addr.String()
	}
	r = r.WithContext(context.WithValue(r.Context(), toldKey{}, told))
	return seen, r, func() {
		if !must && told.about == "" {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), recordTime)
		defer cancel()
		e := access.Entry{Caller: told.caller.ID, Name: told.caller.Name, Action: r.Method + " " + r.URL.EscapedPath(), About: told.about, From: from, Status: seen.status}
		if err := s.opt.Access.Record(ctx, e); err != nil {
			s.opt.Logger.Error("an action is not in the audit log", "action", r.Method+" "+r.Pattern, "caller", told.caller.ID, "err", err)
		}
	}
}
