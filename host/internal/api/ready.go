package api

import "net/http"

// Readiness is what GET /readyz answers, without a token: whether the host takes work and
// can store it, and how its nodes are. There are no phone numbers in it.
type Readiness struct {
	Ready  bool            `json:"ready"`
	Reason string          `json:"reason,omitempty"` // why not
	Nodes  []NodeReadiness `json:"nodes"`
}

// NodeReadiness is the state of one node's process.
type NodeReadiness struct {
	Name      string              `json:"name"`
	State     string              `json:"state"` // process.State
	Reason    string              `json:"reason,omitempty"`
	Instances []InstanceReadiness `json:"instances,omitempty"`
}

// InstanceReadiness is the state of what a node looks after, such as a WhatsApp instance.
type InstanceReadiness struct {
	Name   string `json:"name"`
	State  string `json:"state"`            // starting, healthy, degraded, unhealthy
	Reason string `json:"reason,omitempty"` // a code
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	r := Readiness{Ready: true, Nodes: []NodeReadiness{}}
	if s.opt.Ready != nil {
		r = s.opt.Ready()
	}
	status := http.StatusOK
	if !r.Ready {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	write(w, status, r)
}
