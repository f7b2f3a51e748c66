package wasim

import (
	"fmt"
	"net/http"

	"go.mau.fi/whatsmeow/store"
)

// builtIn is the revision that whatsmeow presents until somebody calls store.SetWAVersion.
var builtIn = store.GetWAVersion()[2]

// page is web.whatsapp.com as far as whatsmeow.GetLatestVersion reads it.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	s.pages.Add(1)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, `<!doctype html><title>Simulator</title><script>{"client_revision":%d,"simulated":true}</script>`, s.opts.Revision)
}

// Pages counts how often the page at / was asked for.
func (s *Server) Pages() int { return int(s.pages.Load()) }
