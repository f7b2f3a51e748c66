package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/tapnode/tapnode/host/internal/process"
)

// Node is a node process of the host, as GET /v1/nodes shows it.
type Node struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	process.Status
	// Crashes are the newest, oldest first; only GET /v1/nodes/{name} shows them.
	Crashes []process.Crash `json:"crashes,omitempty"`
}

// Nodes are the node processes of the host.
type Nodes interface {
	// Nodes are all of them, in the order of nodes.lock.
	Nodes() []Node
	// RestartNode ends the process in order if it runs, forgives its crashes and starts it. It
	// returns when the node takes calls, or why it is not. An unknown name gives
	// ErrUnknownNode; a node that somebody else restarts now, process.ErrRunning.
	RestartNode(ctx context.Context, name string) error
}

// ErrUnknownNode is a name that no node has.
var ErrUnknownNode = errors.New("there is no such node")

// nodes serves GET /v1/nodes, GET /v1/nodes/{name} and POST /v1/nodes/{name}/restart.
func (s *Server) nodes(mux *http.ServeMux, n Nodes) {
	list := func(w http.ResponseWriter, _ *http.Request) {
		nodes := n.Nodes()
		for i := range nodes {
			nodes[i].Crashes = nil
		}
		write(w, http.StatusOK, map[string][]Node{"nodes": nodes})
	}
	one := func(w http.ResponseWriter, r *http.Request) { s.node(w, r.PathValue("name"), n) }
	mux.Handle("GET /v1/nodes", s.authorized(accountOnly(http.HandlerFunc(list))))
	mux.Handle("GET /v1/nodes/{name}", s.authorized(accountOnly(http.HandlerFunc(one))))
	mux.Handle("POST /v1/nodes/{name}/restart", s.authorized(accountOnly(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { s.restartNode(w, r, n) }))))
}

// restartNode answers when the node is ready. A client that goes away does not stop the
// restart: half of one would leave the node stopped.
func (s *Server) restartNode(w http.ResponseWriter, r *http.Request, n Nodes) {
	name := r.PathValue("name")
	err := n.RestartNode(context.WithoutCancel(r.Context()), name)
	switch {
	case errors.Is(err, ErrUnknownNode):
		problem(w, http.StatusNotFound, "there is no such node; GET /v1/nodes lists them", nil)
		return
	case errors.Is(err, process.ErrRunning):
		problem(w, http.StatusConflict, "the node is being restarted already", nil)
		return
	case err != nil:
		problem(w, http.StatusServiceUnavailable, "the node was restarted and is not ready: "+err.Error(), nil)
		return
	}
	s.node(w, name, n)
}

// node answers with one node.
func (s *Server) node(w http.ResponseWriter, name string, n Nodes) {
	for _, node := range n.Nodes() {
		if node.Name == name {
			write(w, http.StatusOK, node)
			return
		}
	}
	problem(w, http.StatusNotFound, "there is no such node; GET /v1/nodes lists them", nil)
}
