package api

import (
	"net/http"
	"path"
	"strings"
)

// enveloped answers in the seed's envelope also where no endpoint is: clients read it before
// the status. A path that is not clean is no endpoint's; clients follow no redirects. Below /v1,
// resources answers so, with a problem.
func enveloped(mux *http.ServeMux, resources http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") && path.Clean(r.URL.EscapedPath()) != r.URL.EscapedPath() { // ServeMux would redirect
			resources.ServeHTTP(w, r)
			return
		}
		if !strings.HasPrefix(r.URL.Path, "/api/") && !strings.HasPrefix(r.URL.Path, "/ws/") {
			mux.ServeHTTP(w, r)
			return
		}
		if asked := r.URL.EscapedPath(); path.Clean(asked) != strings.TrimSuffix(asked, "/") {
			fail(w, http.StatusNotFound, "not_found", "There is no such endpoint")
			return
		}
		refusal, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		heard := &listener{header: http.Header{}, status: http.StatusOK}
		refusal.ServeHTTP(heard, r)
		if heard.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", heard.header.Get("Allow"))
			fail(w, heard.status, "method_not_allowed", "Method not allowed; use "+heard.header.Get("Allow"))
			return
		}
		fail(w, http.StatusNotFound, "not_found", "There is no such endpoint")
	})
}

// listener hears what ServeMux says about a request that no endpoint takes.
type listener struct {
	header http.Header
	status int
}

func (l *listener) Header() http.Header         { return l.header }
func (l *listener) Write(b []byte) (int, error) { return len(b), nil }
func (l *listener) WriteHeader(status int)      { l.status = status }
